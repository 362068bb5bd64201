"""The ground floor: database, clock, queue, errors. Knows nothing of the business."""
