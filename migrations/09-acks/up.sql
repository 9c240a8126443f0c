-- What an ack waits for, and what paging providers know of acks and of the end of the worker's troubles.
ALTER TABLE ack ADD COLUMN until TEXT;                -- 100x, 100x/1h, escalating, resolved; null: an escalation to the double
ALTER TABLE ack ADD COLUMN total_items INTEGER;       -- items ever in the group when it was given; null before this step
ALTER TABLE incident ADD COLUMN ack_id INTEGER;       -- the last ack that the channel was told of
ALTER TABLE worker_fault ADD COLUMN over_told INTEGER; -- when the incidents it had opened were asked to end; null if they were not
