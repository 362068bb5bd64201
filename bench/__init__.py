"""How fast the portal is, as ratios: against the shapes of other people's queries, and against the floor."""
