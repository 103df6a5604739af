CREATE TABLE "abilities" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "group" varchar(64) NOT NULL DEFAULT '',
  "model" varchar(191) NOT NULL DEFAULT '',
  "channel_id" bigint(20) NOT NULL DEFAULT 0,
  "enabled" smallint(6) NOT NULL DEFAULT 0,
  "priority" bigint(20) NOT NULL DEFAULT 0,
  "weight" int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_abilities_group_model_channel_id" ("group","model","channel_id"),
  KEY "index_abilities_channel_id" ("channel_id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "changes" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "process" varchar(32) NOT NULL DEFAULT '',
  "kind" varchar(16) NOT NULL DEFAULT '',
  "owner_id" bigint(20) NOT NULL DEFAULT 0,
  "created_at" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  KEY "index_changes_created_at" ("created_at")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "channels" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "type" int(11) NOT NULL DEFAULT 1,
  "name" varchar(128) NOT NULL DEFAULT '',
  "key" longtext NOT NULL DEFAULT '',
  "base_url" varchar(512) NOT NULL DEFAULT '',
  "models" longtext NOT NULL DEFAULT '',
  "group" varchar(512) NOT NULL DEFAULT 'default',
  "model_mapping" longtext NOT NULL DEFAULT '',
  "priority" bigint(20) NOT NULL DEFAULT 0,
  "weight" int(11) NOT NULL DEFAULT 0,
  "status" int(11) NOT NULL DEFAULT 1,
  "auto_ban" smallint(6) NOT NULL DEFAULT 1,
  "tag" varchar(64) NOT NULL DEFAULT '',
  "remark" varchar(255) NOT NULL DEFAULT '',
  "proxy" longtext NOT NULL DEFAULT '',
  "other" longtext NOT NULL DEFAULT '',
  "header_override" longtext NOT NULL DEFAULT '',
  "param_override" longtext NOT NULL DEFAULT '',
  "system_prompt" longtext NOT NULL DEFAULT '',
  "test_model" varchar(128) NOT NULL DEFAULT '',
  "rpm" bigint(20) NOT NULL DEFAULT 0,
  "tpm" bigint(20) NOT NULL DEFAULT 0,
  "rpd" bigint(20) NOT NULL DEFAULT 0,
  "concurrency" bigint(20) NOT NULL DEFAULT 0,
  "response_time" bigint(20) NOT NULL DEFAULT 0,
  "used_quota" bigint(20) NOT NULL DEFAULT 0,
  "balance" double NOT NULL DEFAULT 0,
  "status_reason" varchar(512) NOT NULL DEFAULT '',
  "status_time" bigint(20) NOT NULL DEFAULT 0,
  "key_states" longtext NOT NULL DEFAULT '',
  "created_time" bigint(20) NOT NULL DEFAULT 0,
  "test_time" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "configs" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "key" varchar(128) NOT NULL DEFAULT '',
  "value" longtext NOT NULL DEFAULT '',
  "updated_at" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_configs_key" ("key")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "facts" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "name" varchar(64) NOT NULL DEFAULT '',
  "value" varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_facts_name" ("name")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "journal_positions" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "node" varchar(64) NOT NULL DEFAULT '',
  "segment" bigint(20) NOT NULL DEFAULT 0,
  "offset" bigint(20) NOT NULL DEFAULT 0,
  "logs_apart" smallint(6) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_journal_positions_node" ("node")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "kept" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "user_id" bigint(20) NOT NULL DEFAULT 0,
  "kind" int(11) NOT NULL DEFAULT 0,
  "name" varchar(128) NOT NULL DEFAULT '',
  "previous" varchar(128) NOT NULL DEFAULT '',
  "channel_id" bigint(20) NOT NULL DEFAULT 0,
  "key_id" varchar(32) NOT NULL DEFAULT '',
  "model" varchar(191) NOT NULL DEFAULT '',
  "document" longtext NOT NULL DEFAULT '',
  "size" bigint(20) NOT NULL DEFAULT 0,
  "created_at" bigint(20) NOT NULL DEFAULT 0,
  "expires_at" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_kept_user_id_kind_name" ("user_id","kind","name"),
  KEY "index_kept_expires_at" ("expires_at"),
  KEY "index_kept_user_id_id" ("user_id","id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "leases" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "node" varchar(64) NOT NULL DEFAULT '',
  "kind" varchar(8) NOT NULL DEFAULT '',
  "owner_id" bigint(20) NOT NULL DEFAULT 0,
  "amount" bigint(20) NOT NULL DEFAULT 0,
  "last_move" bigint(20) NOT NULL DEFAULT 0,
  "updated_at" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_leases_kind_owner_id_node" ("kind","owner_id","node")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "logs" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "request_id" varchar(64) NOT NULL DEFAULT '',
  "created_at" bigint(20) NOT NULL DEFAULT 0,
  "type" int(11) NOT NULL DEFAULT 0,
  "user_id" bigint(20) NOT NULL DEFAULT 0,
  "username" varchar(64) NOT NULL DEFAULT '',
  "token_id" bigint(20) NOT NULL DEFAULT 0,
  "token_name" varchar(64) NOT NULL DEFAULT '',
  "channel_id" bigint(20) NOT NULL DEFAULT 0,
  "model_name" varchar(191) NOT NULL DEFAULT '',
  "prompt_tokens" bigint(20) NOT NULL DEFAULT 0,
  "completion_tokens" bigint(20) NOT NULL DEFAULT 0,
  "cached_tokens" bigint(20) NOT NULL DEFAULT 0,
  "quota" bigint(20) NOT NULL DEFAULT 0,
  "use_time_ms" bigint(20) NOT NULL DEFAULT 0,
  "first_token_ms" bigint(20) NOT NULL DEFAULT 0,
  "is_stream" smallint(6) NOT NULL DEFAULT 0,
  "group" varchar(64) NOT NULL DEFAULT '',
  "ip" varchar(48) NOT NULL DEFAULT '',
  "content" longtext NOT NULL DEFAULT '',
  "other" longtext NOT NULL DEFAULT '',
  PRIMARY KEY ("id"),
  KEY "index_logs_request_id" ("request_id"),
  KEY "index_logs_user_id_created_at_id" ("user_id","created_at","id"),
  KEY "index_logs_created_at_id" ("created_at","id"),
  KEY "index_logs_type_created_at_id" ("type","created_at","id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "nodes" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "name" varchar(64) NOT NULL DEFAULT '',
  "folder" varchar(64) NOT NULL DEFAULT '',
  "process" varchar(32) NOT NULL DEFAULT '',
  "beats" bigint(20) NOT NULL DEFAULT 0,
  "seen_at" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_nodes_name" ("name")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "schema_migrations" (
  "number" int(11) NOT NULL DEFAULT 0,
  "name" varchar(255) NOT NULL DEFAULT '',
  "applied_at" bigint(20) NOT NULL DEFAULT 0,
  UNIQUE KEY "unique_schema_migrations_number" ("number")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "sessions" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "user_id" bigint(20) NOT NULL DEFAULT 0,
  "digest" varchar(64) NOT NULL DEFAULT '',
  "auth_version" bigint(20) NOT NULL DEFAULT 0,
  "ip" varchar(48) NOT NULL DEFAULT '',
  "user_agent" varchar(512) NOT NULL DEFAULT '',
  "created_at" bigint(20) NOT NULL DEFAULT 0,
  "expires_at" bigint(20) NOT NULL DEFAULT 0,
  "revoked_at" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_sessions_digest" ("digest"),
  KEY "index_sessions_user_id" ("user_id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "tokens" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "user_id" bigint(20) NOT NULL DEFAULT 0,
  "name" varchar(50) NOT NULL DEFAULT '',
  "key" longtext NOT NULL DEFAULT '',
  "key_digest" varchar(64) NOT NULL DEFAULT '',
  "status" int(11) NOT NULL DEFAULT 1,
  "remain_quota" bigint(20) NOT NULL DEFAULT 0,
  "unlimited_quota" smallint(6) NOT NULL DEFAULT 0,
  "used_quota" bigint(20) NOT NULL DEFAULT 0,
  "expired_time" bigint(20) NOT NULL DEFAULT -1,
  "model_limits_enabled" smallint(6) NOT NULL DEFAULT 0,
  "model_limits" longtext NOT NULL DEFAULT '',
  "group" varchar(64) NOT NULL DEFAULT '',
  "allow_ips" longtext NOT NULL DEFAULT '',
  "rpm" bigint(20) NOT NULL DEFAULT 0,
  "tpm" bigint(20) NOT NULL DEFAULT 0,
  "rpd" bigint(20) NOT NULL DEFAULT 0,
  "concurrency" bigint(20) NOT NULL DEFAULT 0,
  "created_time" bigint(20) NOT NULL DEFAULT 0,
  "accessed_time" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_tokens_key_digest" ("key_digest"),
  KEY "index_tokens_user_id" ("user_id")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "usage_hours" (
  "hour" bigint(20) NOT NULL DEFAULT 0,
  "user_id" bigint(20) NOT NULL DEFAULT 0,
  "token_id" bigint(20) NOT NULL DEFAULT 0,
  "channel_id" bigint(20) NOT NULL DEFAULT 0,
  "model_name" varchar(191) NOT NULL DEFAULT '',
  "username" varchar(64) NOT NULL DEFAULT '',
  "token_name" varchar(64) NOT NULL DEFAULT '',
  "requests" bigint(20) NOT NULL DEFAULT 0,
  "errors" bigint(20) NOT NULL DEFAULT 0,
  "others" bigint(20) NOT NULL DEFAULT 0,
  "prompt_tokens" bigint(20) NOT NULL DEFAULT 0,
  "completion_tokens" bigint(20) NOT NULL DEFAULT 0,
  "cached_tokens" bigint(20) NOT NULL DEFAULT 0,
  "quota" bigint(20) NOT NULL DEFAULT 0,
  "use_time_ms" bigint(20) NOT NULL DEFAULT 0,
  "first_token_ms" bigint(20) NOT NULL DEFAULT 0,
  UNIQUE KEY "unique_usage_hours_hour_user_id_token_id_channel_id_85547439" ("hour","user_id","token_id","channel_id","model_name","username","token_name"),
  KEY "index_usage_hours_user_id_hour" ("user_id","hour"),
  KEY "index_usage_hours_username_hour" ("username","hour"),
  KEY "index_usage_hours_token_name_hour" ("token_name","hour"),
  KEY "index_usage_hours_model_name_hour" ("model_name","hour"),
  KEY "index_usage_hours_channel_id_hour" ("channel_id","hour")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "usage_models" (
  "hour" bigint(20) NOT NULL DEFAULT 0,
  "model_name" varchar(191) NOT NULL DEFAULT '',
  "requests" bigint(20) NOT NULL DEFAULT 0,
  "errors" bigint(20) NOT NULL DEFAULT 0,
  "prompt_tokens" bigint(20) NOT NULL DEFAULT 0,
  "completion_tokens" bigint(20) NOT NULL DEFAULT 0,
  "cached_tokens" bigint(20) NOT NULL DEFAULT 0,
  "quota" bigint(20) NOT NULL DEFAULT 0,
  "use_time_ms" bigint(20) NOT NULL DEFAULT 0,
  "first_token_ms" bigint(20) NOT NULL DEFAULT 0,
  UNIQUE KEY "unique_usage_models_hour_model_name" ("hour","model_name")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "usage_users" (
  "day" bigint(20) NOT NULL DEFAULT 0,
  "user_id" bigint(20) NOT NULL DEFAULT 0,
  "username" varchar(64) NOT NULL DEFAULT '',
  "requests" bigint(20) NOT NULL DEFAULT 0,
  "errors" bigint(20) NOT NULL DEFAULT 0,
  "prompt_tokens" bigint(20) NOT NULL DEFAULT 0,
  "completion_tokens" bigint(20) NOT NULL DEFAULT 0,
  "cached_tokens" bigint(20) NOT NULL DEFAULT 0,
  "quota" bigint(20) NOT NULL DEFAULT 0,
  UNIQUE KEY "unique_usage_users_day_user_id_username" ("day","user_id","username")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE "users" (
  "id" bigint(20) NOT NULL AUTO_INCREMENT,
  "username" varchar(32) NOT NULL DEFAULT '',
  "password" varchar(256) NOT NULL DEFAULT '',
  "display_name" varchar(64) NOT NULL DEFAULT '',
  "email" varchar(128) DEFAULT NULL,
  "remark" varchar(255) NOT NULL DEFAULT '',
  "language" varchar(8) NOT NULL DEFAULT '',
  "role" int(11) NOT NULL DEFAULT 1,
  "status" int(11) NOT NULL DEFAULT 1,
  "group" varchar(64) NOT NULL DEFAULT 'default',
  "quota" bigint(20) NOT NULL DEFAULT 0,
  "used_quota" bigint(20) NOT NULL DEFAULT 0,
  "request_count" bigint(20) NOT NULL DEFAULT 0,
  "access_token_digest" varchar(64) DEFAULT NULL,
  "auth_version" bigint(20) NOT NULL DEFAULT 1,
  "created_at" bigint(20) NOT NULL DEFAULT 0,
  "last_login_at" bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY ("id"),
  UNIQUE KEY "unique_users_username" ("username"),
  UNIQUE KEY "unique_users_email" ("email"),
  UNIQUE KEY "unique_users_access_token_digest" ("access_token_digest")
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT INTO schema_migrations (number, name, applied_at) VALUES (0, 'created', 1700000000);
INSERT INTO schema_migrations (number, name, applied_at) VALUES (1, 'roll up logs', 1700000000);
INSERT INTO schema_migrations (number, name, applied_at) VALUES (2, 'sum up by model and by user', 1700000000);
