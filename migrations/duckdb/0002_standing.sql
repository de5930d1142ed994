-- What people have asked for, and what a pipeline's runs came to. An older program leaves both as they are.
ALTER TABLE tickward_pipeline ADD COLUMN standing TEXT DEFAULT '{}';  -- JSON
ALTER TABLE tickward_attempt ADD COLUMN stop_request TEXT;                     -- JSON: when, and why
