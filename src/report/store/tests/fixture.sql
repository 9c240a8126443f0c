-- Times are minutes relative to the present (negative: ago); hours of group_hour likewise in hours.

INSERT INTO project (project_key, name, project_id, first_seen, base_url) VALUES
    (1, 'prod', '11111111-1111-4111-8111-111111111111', -20000, 'https://api.cloud.llamaindex.ai'),
    (2, 'staging', NULL, -9000, 'https://api.cloud.eu.llamaindex.ai');

INSERT INTO scan (scan_key, project_key, started_at, finished_at, complete, batches_listed, batches_read, items_listed, items_new, unreadable, requests, error) VALUES
    (1, 1, -14, -13, 1, 3, 2, 40, 3, 0, 9, NULL),
    (2, 1, -5, -4, 1, 3, 1, 40, 0, 1, 4, NULL),
    (3, 2, -20, -19, 1, 1, 1, 2, 0, 0, 2, NULL),
    (4, 2, -6, -5, 0, 1, 0, 0, 0, 0, 1, '503 from the item list');

INSERT INTO batch (batch_key, project_key, batch_id, job_type, directory_id, status, total_items, processed_items, failed_items, skipped_items, error_message, created_at, updated_at, started_at, completed_at, first_seen, last_seen, listed_at, listed_as) VALUES
    (1, 1, 'bjb-7001', 'parse', 'dir-a', 'completed', 200, 200, 4, 1, NULL, -3000, -2880, -2990, -2880, -2990, -4, -2870, 'x'),
    (2, 1, 'bjb-7102', 'extract', 'dir-b', 'running', NULL, NULL, NULL, NULL, NULL, -90, -5, -85, NULL, -85, -4, NULL, NULL),
    (3, 2, 'bat-0001', 'parse', NULL, 'failed', 10, 10, 2, 0, 'the whole batch failed', -1200, -1100, -1190, -1100, -1190, -19, -19, 'y');

INSERT INTO error_group (group_key, group_id, kind, template, title, renamed, class, rule, cause_code, cause_text, mining, merged_into, first_seen, last_seen, open_items, total_items, failures, grouping_version) VALUES
    (1, 'g-4f2a90c1', 'failed', 'Request to <url> timed out after <n> s', 'Request timed out', NULL, 'transient', 'timeouts', 'TIMEOUT', 'upstream gave no answer', x'', NULL, -3000, -30, 3, 4, 6, 1),
    (2, 'g-81bb0d3e', 'failed', 'PDF is password protected: <name>', 'PDF is password protected', NULL, 'permanent-input', 'protected', NULL, NULL, x'', NULL, -2900, -2900, 1, 1, 1, 1),
    (3, 'g-c0ffee00', 'failed', 'Rate limit exceeded', 'Rate limit exceeded', 'Too many requests', 'throttled', NULL, NULL, NULL, x'', NULL, -2990, -1500, 0, 1, 1, 1),
    (4, 'g-d00d1234', 'skipped', 'already_processed', 'already_processed', NULL, 'done', NULL, NULL, NULL, x'', NULL, -60, -60, 0, 1, 1, 1),
    (5, 'g-e9e9e9e9', 'skipped', 'size_limit_exceeded', 'size_limit_exceeded', NULL, 'permanent-input', NULL, NULL, NULL, x'', NULL, -50, -50, 1, 1, 1, 1),
    (6, 'g-4f77aaaa', 'failed', 'Request to <url> timed out', 'timed out', NULL, 'transient', NULL, NULL, NULL, x'', 1, -2000, -2000, 0, 0, 0, 1),
    (7, 'g-ffff0007', 'failed', 'hostile', '=evil' || char(27) || '[31m|<b>', NULL, 'unknown', NULL, NULL, NULL, x'', NULL, -40, -40, 1, 1, 1, 1);

INSERT INTO message (message_key, hash, text) VALUES
    (1, 1, 'Request to https://api.example.com/v1 timed out after 30 s'),
    (2, 2, 'PDF is password protected: a.pdf'),
    (3, 3, 'Rate limit exceeded'),
    (4, 4, 'Request to https://api.example.com/v1 timed out after 45 s');

INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key, first_seen, last_seen, failures, attempts, baseline, recovered_at, recovered_by) VALUES
    ('5b2e0001-0000-4000-8000-000000000001', 1, 'invoice-001.pdf', 1, 'failed', 'open', 1, 3, -2900, -30, 3, 2, 0, NULL, NULL),
    ('5b2e0002-0000-4000-8000-000000000002', 2, 'invoice-002.pdf', 1, 'failed', 'retrying', 1, 4, -2890, -2890, 1, 1, 0, NULL, NULL),
    ('6c3f0003-0000-4000-8000-000000000003', 3, 'report.pdf', 2, 'failed', 'open', 1, 5, -1100, -1100, 1, 0, 0, NULL, NULL),
    ('7d400004-0000-4000-8000-000000000004', 4, 'a.pdf', 1, 'failed', 'open', 2, 6, -2900, -2900, 1, 0, 1, NULL, NULL),
    ('8e510005-0000-4000-8000-000000000005', 5, 'busy.pdf', 1, 'failed', 'recovered', 3, 7, -2990, -1500, 1, 1, 0, -1400, 'attempt at-3'),
    ('9f620006-0000-4000-8000-000000000006', 6, 'done.pdf', 1, 'skipped', 'ignored', 4, 8, -60, -60, 0, 0, 0, NULL, NULL),
    ('a0730007-0000-4000-8000-000000000007', 7, 'huge.pdf', 1, 'skipped', 'open', 5, 9, -50, -50, 0, 0, 0, NULL, NULL),
    ('b1840008-0000-4000-8000-000000000008', 8, 'invoice-008.pdf', 1, 'failed', 'recovered', 1, 10, -3000, -2000, 1, 0, 0, -300, 'batch bjb-7102'),
    ('c2950009-0000-4000-8000-000000000009', 9, 'x', 1, 'failed', 'open', 7, 11, -40, -40, 1, 0, 0, NULL, NULL);

INSERT INTO observation (observation_key, item_key, batch_key, identity, kind, job_id, job_record_id, group_key, message_key, skip_reason, completed_at, content, event_at, first_seen, last_seen) VALUES
    (1, 1, 1, 1, 'failed', 'job-0001', 'rec-0001', 1, 1, NULL, -2900, 0, -2900, -2895, -2880),
    (2, 1, 1, 2, 'failed', 'job-0002', 'rec-0002', 6, 4, NULL, -2000, 0, -2000, -1995, -1990),
    (3, 1, 2, 3, 'failed', 'job-0003', 'rec-0003', 1, 4, NULL, -30, 0, -30, -25, -4),
    (4, 2, 1, 1, 'failed', 'job-0004', NULL, 1, 1, NULL, -2890, 0, -2890, -2885, -2880),
    (5, 3, 3, 1, 'failed', NULL, NULL, 1, 1, NULL, -1100, 0, -1100, -1095, -19),
    (6, 4, 1, 1, 'failed', 'job-0006', 'rec-0006', 2, 2, NULL, -2900, 0, -2900, -2895, -2880),
    (7, 5, 1, 1, 'failed', 'job-0007', 'rec-0007', 3, 3, NULL, -1500, 0, -1500, -1495, -1490),
    (8, 6, 2, 1, 'skipped', NULL, NULL, 4, NULL, 'already_processed', -60, 0, -60, -55, -4),
    (9, 7, 2, 1, 'skipped', NULL, NULL, 5, NULL, 'size_limit_exceeded', -50, 0, -50, -45, -4),
    (10, 8, 1, 1, 'failed', 'job-0010', NULL, 1, 1, NULL, -2000, 0, -2000, -1995, -1990),
    (11, 9, 2, 1, 'failed', 'job-0011', NULL, 7, NULL, NULL, -40, 0, -40, -35, -4);

INSERT INTO group_hour (group_key, hour, failures) VALUES
    (1, -49, 2), (1, -34, 2), (1, -19, 1), (1, -1, 1), (2, -49, 1), (3, -25, 1), (4, -1, 1), (5, -1, 1), (7, -1, 1);
INSERT INTO group_batch (group_key, batch_key, failures) VALUES
    (1, 1, 4), (1, 2, 1), (1, 3, 1), (2, 1, 1), (3, 1, 1), (4, 2, 1), (5, 2, 1), (7, 2, 1);

INSERT INTO episode (group_key, ordinal, opened_at, noticed_at, closed_at, closed_how, closed_by) VALUES
    (1, 1, -3000, -2995, -1950, 'recovered', 'bjb-7001'),
    (1, 2, -1100, -1090, NULL, NULL, NULL),
    (2, 1, -2900, -2890, NULL, NULL, NULL),
    (3, 1, -2990, -2980, -1400, 'recovered', 'attempt at-3'),
    (5, 1, -50, -45, NULL, NULL, NULL);
INSERT INTO incident (incident_id, started_at, noticed_at, last_failure_at, ended_at, items, ended_items, announced, end_announced) VALUES
    ('n-5d00000001', -1100, -1090, -1080, -1080, 3, 9, 'D-20261123-01', 1);
INSERT INTO onset (group_key, episode, at, noticed_at, escalated, items, incident_id) VALUES
    (1, 2, -1100, -1090, 0, 2, 'n-5d00000001'), (2, 1, -1095, -1090, 1, 1, 'n-5d00000001');
INSERT INTO digest (digest_id, created_at, scheduled, reasons, model) VALUES
    ('D-20261121-01', -2890, 0, 'new', '{}'),
    ('D-20261123-01', -180, 1, 'regressed,reminder', '{}');
INSERT INTO announcement (group_key, digest_id, episode, state, reason, open_items, total_items, failures, announced_at) VALUES
    (1, 'D-20261123-01', 2, 'regressed', 'regressed', 2, 4, 5, -180),
    (2, 'D-20261121-01', 1, 'new', 'new', 1, 1, 1, -2890);
INSERT INTO digest_item (digest_id, group_key, item_id, reason) VALUES
    ('D-20261121-01', 2, '7d400004-0000-4000-8000-000000000004', 'new'),
    ('D-20261123-01', 1, '5b2e0001-0000-4000-8000-000000000001', 'regressed'),
    ('D-20261123-01', 2, NULL, 'reminder');
INSERT INTO delivery (delivery_id, digest_id, channel, state, content, attempts, not_before, last_error, created_at, sent_at, superseded_by) VALUES
    ('D-20261121-01.oncall', 'D-20261121-01', 'oncall', 'sent', '{}', 1, -2890, NULL, -2890, -2889, NULL),
    ('D-20261121-01.chat', 'D-20261121-01', 'chat', 'superseded', '{}', 2, -2890, '500', -2890, NULL, 'D-20261123-01.chat'),
    ('D-20261123-01.oncall', 'D-20261123-01', 'oncall', 'dead', '{}', 1, -180, '550 no such mailbox', -180, NULL, NULL),
    ('D-20261123-01.chat', 'D-20261123-01', 'chat', 'pending', '{}', 3, 5, '503 Service Unavailable', -180, NULL, NULL);
INSERT INTO silence (matcher, author, reason, created_at, expires_at) VALUES
    ('{"group":"g-81bb0d3e"}', 'ana', 'customer was told', -100, 500),
    ('{"project":"nowhere"}', 'ana', 'other', -100, 500);
INSERT INTO ack (group_key, episode, author, open_items, created_at) VALUES (1, 2, 'bo', 2, -170);
INSERT INTO note (group_key, author, text, created_at) VALUES
    (1, 'bo', 'vendor ticket 4711', -160), (1, 'bo', 'vendor answers tomorrow', -150);
INSERT INTO audit (at, actor, action, subject, reason, detail) VALUES
    (-2500, 'bo', 'dismiss', '5b2e0001-0000-4000-8000-000000000001', 'a test file', NULL),
    (-2400, 'bo', 'undismiss', '5b2e0001-0000-4000-8000-000000000001', 'not a test file', NULL),
    (-170, 'bo', 'ack', 'g-4f2a90c1', NULL, '{"open_items":2}');
INSERT INTO worker_fault (fault, text, since, last_seen, count) VALUES
    ('delivery:oncall', 'channel oncall refuses mail: 550 no such mailbox', -179, -10, 2);

INSERT INTO intent (intent_id, project_key, group_key, job_type, trigger, actor, reason, state, job_config, parameters_hash, items_hash, item_count, created_at, posting_at, batch_id) VALUES
    ('01J0000000000000000000INT1', 1, 1, 'parse', 'canary', 'auto:timeouts', NULL, 'finished', '{}', 'p', 'i', 1, -2600, -2600, 'bjb-7102'),
    ('01J0000000000000000000INT2', 1, 1, 'parse', 'manual', 'bo', 'vendor says fixed', 'submitted', '{}', 'p', 'i', 2, -20, -20, 'bjb-7200'),
    ('01J0000000000000000000INT3', 1, 3, 'parse', 'auto', 'auto:rate', NULL, 'finished', '{}', 'p', 'i', 1, -1450, -1450, 'bjb-7101');
INSERT INTO attempt (attempt_id, intent_id, item_key, group_key, n, trigger, batch_id, job_id, outcome, group_after, credits, started_at, finished_at) VALUES
    ('at-1', '01J0000000000000000000INT1', 1, 6, 1, 'canary', 'bjb-7102', 'job-0003', 'failed_same', NULL, 3.0, -2600, -2590),
    ('at-2', '01J0000000000000000000INT2', 1, 1, 2, 'manual', 'bjb-7200', NULL, 'running', NULL, NULL, -20, NULL),
    ('at-4', '01J0000000000000000000INT2', 2, 1, 1, 'manual', 'bjb-7200', NULL, 'running', NULL, NULL, -20, NULL),
    ('at-3', '01J0000000000000000000INT3', 5, 3, 1, 'auto', 'bjb-7101', 'job-0009', 'recovered', NULL, 3.0, -1450, -1400);
