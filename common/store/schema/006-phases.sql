-- What the lights of an intersection with more than two streets showed: the number of the phase, where one was shown as a whole, and a
-- letter for each signal group (r, y, G; f while they flash). state_ns and state_ew say the same as far as two directions can.

ALTER TABLE semaphore_states ADD COLUMN phase INTEGER;
ALTER TABLE semaphore_states ADD COLUMN groups TEXT;
