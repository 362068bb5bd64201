/* What HTML and htmx cannot say. Listeners stand on the document, so swapped parts need no set-up.
   Server to page: HX-Trigger {"toast": {"level": "ok|info|warn|error", "text": "…", "href": "…", "label": "…"}} and the header
   X-Announce (percent-encoded text for screen readers). Attributes: data-copy="#id", data-copy-text, data-dismiss=".sel",
   data-open="#dialog", data-expand (row toggle, sends "expand"), data-follow="#log", data-row, data-search, data-key="g h",
   data-confirm-title, data-confirm-ok, data-confirm-danger (beside hx-confirm), time[data-relative], data-close (in a dialog);
   data-pick (box of a row), data-pick-all, data-picked (their number), data-picks="2" (button for so many), data-same (for one
   data-group). What is swapped into #dialog-body opens that dialog. Text only, never HTML. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (name, handler) => document.addEventListener(name, handler);
  const root = document.documentElement;

  // Messages -------------------------------------------------------------------------------------------------
  function arm(toast) {
    toast.dataset.armed = "";
    if (toast.dataset.level === "error") return;
    let left = 6;
    const timer = setInterval(() => {
      if (!toast.matches(":hover, :focus-within") && --left <= 0) toast.remove();
      if (!toast.isConnected) clearInterval(timer);
    }, 1000);
  }
  function toast({ level, text, value, href, label }) {
    const template = $(`#toast-${level}`) || $("#toast-info");
    const item = template.content.firstElementChild.cloneNode(true);
    $("[data-text]", item).textContent = text ?? value ?? "";
    if (href) Object.assign($("[data-link]", item), { href, textContent: label, hidden: false });
    $("#toasts").append(item);
    arm(item);
  }
  function announce(text) {
    const place = $("#announcer");
    place.textContent = "";
    setTimeout(() => { place.textContent = text; }, 50);
  }
  on("toast", (event) => toast(event.detail));
  on("htmx:response:error", ({ detail: { ctx } }) => {
    const words = $("#toasts").dataset, id = ctx.response.headers.get("X-Request-ID");
    if (ctx.response.status >= 500) toast({ level: "error", text: id ? `${words.textServer} ${words.textRequest} ${id}` : words.textServer });
  });
  on("htmx:error", ({ detail: { ctx } }) => {
    // Polls fail silently: the next one tells more than a row of messages.
    if (ctx && !ctx.response && !quiet(ctx)) toast({ level: "error", text: $("#toasts").dataset.textNetwork });
  });
  on("htmx:after:request", ({ detail: { ctx } }) => {
    const text = ctx.response?.headers.get("X-Announce");
    if (!text) return;
    try { announce(decodeURIComponent(text)); } catch { announce(text); }
  });

  // Busy regions and focus -----------------------------------------------------------------------------------
  const focus = (element) => { element.tabIndex = -1; element.focus({ preventScroll: true }); };
  const quiet = (ctx) => !ctx.sourceEvent || ["every", "load"].includes(ctx.sourceEvent.type);
  on("htmx:before:request", ({ detail: { ctx } }) => {
    ctx.deed = ctx.sourceElement.matches?.(".deed");
    if (!quiet(ctx) && ctx.target instanceof Element) ctx.target.setAttribute("aria-busy", "true");
  });
  on("htmx:finally:request", ({ detail: { ctx } }) => ctx.target?.removeAttribute?.("aria-busy"));
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    all("[data-follow][aria-pressed=true]").forEach(follow);
    settle();
    if (ctx.target?.id === "dialog-body" && !ctx.target.closest("dialog").open) ctx.target.closest("dialog").showModal();
    // The button of a deed may be gone with its work: then its row is the next thing to read, or the heading.
    if (ctx.deed && document.activeElement === document.body) focus(ctx.target.closest?.(".record")?.querySelector("[data-row]") || $("main h1"));
    const whole = ctx.target === document.body && ctx.sourceElement !== document.body;
    if (!whole && ctx.target?.id !== "main") return;
    all("[popover]:popover-open").forEach((menu) => menu.hidePopover());
    scrollTo(0, 0);
    focus($("main h1") || $("main"));
  });

  // The confirm dialog ---------------------------------------------------------------------------------------
  on("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    const dialog = $("#confirm"), title = $("#confirm-title"), ok = $("#confirm-ok"), words = ctx.sourceElement.dataset;
    if (!ctx.confirm || !dialog) return;
    event.preventDefault();
    title.textContent = words.confirmTitle || title.dataset.default;
    ok.textContent = words.confirmOk || ok.dataset.default;
    ok.className = `button button-${"confirmDanger" in words ? "danger" : "primary"}`;
    $("#confirm-text").textContent = ctx.confirm;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => (dialog.returnValue === "ok" ? issueRequest() : dropRequest()), { once: true });
    dialog.showModal();
  });

  // Picked rows, and the row last opened -----------------------------------------------------------------------
  function settle() {
    all(".toast:not([data-armed])").forEach(arm);
    all("[data-row]").forEach((row) => row.toggleAttribute("data-opened", sessionStorage.opened === (row.id || row.parentElement.id)));
    const boxes = all("[data-pick]"), picked = boxes.filter((box) => box.checked), whole = $("[data-pick-all]");
    if (!whole) return;
    Object.assign(whole, { checked: picked.length === boxes.length, indeterminate: picked.length > 0 && picked.length < boxes.length });
    $("[data-picked]").textContent = picked.length;
    const every = $("[data-pick-every]")?.checked, groups = new Set(picked.map((box) => box.dataset.group)).size;
    all("[data-picks]").forEach((button) => { button.disabled = every || picked.length !== Number(button.dataset.picks); });
    all("[data-same]").forEach((button) => { button.disabled = every ? button.dataset.same !== "yes" : groups !== 1; });
  }
  on("change", ({ target }) => {
    if (target.matches("[data-pick-all]")) all("[data-pick]").forEach((box) => { box.checked = target.checked; });
    if (target.matches("[data-pick], [data-pick-all], [data-pick-every]")) settle();
  });
  on("reset", () => setTimeout(settle));

  // Saved views: the one whose filters are shown; the form that kept one closes --------------------------------
  const markViews = () => all("[data-view]").forEach((link) => {
    link.href === location.href.split("#")[0] ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  });
  ["htmx:after:swap", "htmx:after:history:update"].forEach((name) => on(name, markViews));
  on("views-changed", () => all(".popup:popover-open").forEach((menu) => menu.hidePopover()));

  // Clicks ---------------------------------------------------------------------------------------------------
  function plain(place) {
    const lines = all(".log-line", place).map((line) => [...line.children].slice(1).map((part) => part.textContent.trim()).join(" "));
    return lines.length ? lines.join("\n") : place.textContent;
  }
  async function copy(button) {
    const text = button.dataset.copyText ?? plain($(button.dataset.copy)), from = button.dataset.copy;
    // No clipboard without https: select the text, so that the reader's own copy key works.
    try { await navigator.clipboard.writeText(text); } catch { return from && getSelection().selectAllChildren($(from)); }
    announce(button.dataset.copied);
    if (button.dataset.busy) return;
    const symbol = $("use", button), label = $("span", button), before = [symbol.getAttribute("href"), label?.textContent];
    const show = (href, word) => { symbol.setAttribute("href", href); if (label) label.textContent = word; };
    button.dataset.busy = "yes";
    show(before[0].replace(/#.*/, "#check"), button.dataset.copied);
    setTimeout(() => { show(...before); delete button.dataset.busy; }, 1600);
  }
  function expand(link) {
    const open = link.getAttribute("aria-expanded") !== "true";
    link.setAttribute("aria-expanded", String(open));
    document.getElementById(link.getAttribute("aria-controls")).hidden = !open;
    if (open) link.dispatchEvent(new CustomEvent("expand"));
  }
  const follow = (button) => $(button.dataset.follow)?.scrollTo(0, Number.MAX_SAFE_INTEGER);
  on("click", (event) => {
    const at = (selector) => event.target.closest?.(selector);
    const row = at("a[href]:not([data-expand])")?.closest("[data-row], .record");
    if (row) sessionStorage.opened = row.id || row.parentElement.id;
    const hit = at("[data-copy], [data-copy-text], [data-dismiss], [data-close], [data-open], [data-expand], [data-follow], [data-theme-form] button");
    if (!hit) return;
    if (hit.matches("[data-copy], [data-copy-text]")) copy(hit);
    else if (hit.dataset.dismiss) at(hit.dataset.dismiss)?.remove();
    else if ("close" in hit.dataset) { if (at("dialog")) { event.preventDefault(); at("dialog").close(); } }
    else if (hit.dataset.open) { at("[popover]")?.hidePopover(); $(hit.dataset.open).showModal(); }
    else if ("expand" in hit.dataset) {
      if (!(event.ctrlKey || event.metaKey || event.shiftKey)) { event.preventDefault(); expand(hit); }
    } else if (hit.dataset.follow) {
      hit.setAttribute("aria-pressed", String(hit.getAttribute("aria-pressed") !== "true"));
      if (hit.getAttribute("aria-pressed") === "true") follow(hit);
    } else if (hit.name === "theme") {
      root.dataset.theme = hit.value;
      all("button", hit.form).forEach((button) => button.setAttribute("aria-pressed", String(button === hit)));
    }
  });

  // Keys -----------------------------------------------------------------------------------------------------
  let before = "";
  function move(step) {
    const rows = all("[data-row]").filter((row) => row.offsetParent);
    const here = rows.indexOf(document.activeElement?.closest?.("[data-row]"));
    const next = rows[Math.min(Math.max(here + step, 0), rows.length - 1)];
    if (next) { focus(next); next.scrollIntoView({ block: "nearest" }); }
  }
  on("keydown", (event) => {
    const leave = event.key === "Escape" && event.target.closest?.("form")?.querySelector("[data-cancel]");
    if (leave) { event.preventDefault(); return leave.click(); }
    const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.body.dataset.keys === "off" || $("dialog[open]")) return;
    const keys = before === "g" ? `g ${event.key}` : event.key;
    before = event.key;
    const named = $(`[data-key="${CSS.escape(keys)}"]`);
    const search = $("[data-search]"), row = event.target.closest?.("[data-row]");
    if (named) named.click();
    else if (keys === "/" && search) { search.focus(); search.select(); }
    else if (keys === "?") $("#shortcuts")?.showModal();
    else if (keys === "j" || keys === "k") move(keys === "j" ? 1 : -1);
    else if (keys === "x" && row) $("[data-pick]", row)?.click();
    else if (keys === "Enter" && event.target === row) $("[data-expand], a", row)?.click();
    else return;
    event.preventDefault();
  });

  // Relative times: the same words and thresholds as the server's ---------------------------------------------
  const units = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const words = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "always" }), now = new Intl.RelativeTimeFormat(root.lang || "en", { numeric: "auto" });
  setInterval(() => all("time[data-relative]").forEach((time) => {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const [unit, size] = units.find(([, length]) => Math.abs(seconds) / length >= 0.85) || units.at(-1);
    time.textContent = (Math.abs(seconds) < 1 ? now : words).format(Math.round(seconds / size), unit);
  }), 15000);

  // The server writes times in this zone from the next page on.
  document.cookie = `tz=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  settle();
})();
