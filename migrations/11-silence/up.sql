-- Where a project was read from: links lead there, also where a report has no configuration or that of another ledger.
ALTER TABLE project ADD COLUMN base_url TEXT;         -- the API's address; null before its first scan since this step
