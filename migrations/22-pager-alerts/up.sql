-- What is open at a paging provider is an alert: an incident is what groups that began to fail together have in common.
ALTER TABLE incident RENAME TO pager_alert;
ALTER TABLE channel RENAME COLUMN incidents TO pager;
