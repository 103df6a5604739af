-- What a state that sums its roll-up up has besides rows-rolled-up.sql.
INSERT INTO usage_models (hour, model_name, requests, errors, prompt_tokens, completion_tokens, cached_tokens, quota, use_time_ms, first_token_ms) VALUES (1699999200, 'm1', 2, 0, 101, 12, 0, 30, 2000, 300), (1700006400, 'm2', 1, 1, 7, 8, 0, 5, 90, 9);
INSERT INTO usage_users (day, user_id, username, requests, errors, prompt_tokens, completion_tokens, cached_tokens, quota) VALUES (1699920000, 1, 'root', 2, 0, 101, 12, 0, 30), (1700006400, 2, '漢字', 1, 1, 7, 8, 0, 5);
