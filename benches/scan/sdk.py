"""The other yardstick: the vendor's own Python SDK, listing the same items and writing one plain table.

    pip install llama-cloud==2.13.0        # the last version that speaks the v1 beta batches
    cargo bench --bench scan -- sdk python3

The SDK's pager stops after one page where `total_size` is null, so this script asks for every page itself.
"""

import sqlite3
import sys
import time

from llama_cloud import LlamaCloud

PAGE = 1000
url, path = sys.argv[1:]
client = LlamaCloud(api_key="llx-bench", base_url=url)


def pages(call, **query):
    offset = 0
    while items := call(limit=PAGE, offset=offset, **query).items:
        yield items
        offset += len(items)


def text(value):
    return None if value is None else str(value)


def rows(batch, items):
    for item in items:
        yield (item.item_id, item.item_name, batch, item.status, item.error_message, item.skip_reason,
               item.job_id, item.job_record_id, text(item.completed_at))


begun = time.monotonic()
table = sqlite3.connect(path)
table.executescript("""
    PRAGMA journal_mode = wal; PRAGMA synchronous = normal;
    CREATE TABLE IF NOT EXISTS item (
        item_id TEXT NOT NULL PRIMARY KEY, item_name TEXT, batch_id TEXT, status TEXT, error_message TEXT,
        skip_reason TEXT, job_id TEXT, job_record_id TEXT, completed_at TEXT);
""")
count = 0
for batches in pages(client.beta.batch.list):
    for batch in batches:
        for status in ("failed", "skipped"):
            for items in pages(client.beta.batch.job_items.list, job_id=batch.id, status=status):
                table.executemany("INSERT OR REPLACE INTO item VALUES (?,?,?,?,?,?,?,?,?)", rows(batch.id, items))
                count += len(items)
        table.commit()
seconds = time.monotonic() - begun
print(f"  official Python SDK, plain  {count / seconds:>9.0f} items/s  ({seconds:.2f} s)")
