-- What LlamaCloud says a retry cost, beside `credits`, which is what it was thought to cost.
ALTER TABLE attempt ADD COLUMN billed REAL;  -- null: LlamaCloud does not say
