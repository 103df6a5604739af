// What the options are called here, in which group they stand, and how they are edited.
export const TABS = ["prices", "groups", "relay", "limits", "user", "site"] as const;
export type Tab = (typeof TABS)[number];

/** Texts: option.<name>, and option.<name>_help. */
export const OPTIONS = [
  { key: "SelfUseModeEnabled", name: "self_use", tab: "prices" },
  { key: "GroupRatio", name: "group_ratio", tab: "groups", editor: "numbers" },
  { key: "UserUsableGroups", name: "usable_groups", tab: "groups", editor: "texts" },
  { key: "GroupGroupRatio", name: "group_group", tab: "groups", editor: "json" },
  { key: "RetryTimes", name: "retry_times", tab: "relay" },
  { key: "AutomaticRetryStatusCodes", name: "retry_codes", tab: "relay", mono: true },
  { key: "AutomaticDisableChannelEnabled", name: "auto_disable", tab: "relay" },
  { key: "AutomaticDisableStatusCodes", name: "disable_codes", tab: "relay", mono: true },
  { key: "AutomaticDisableKeywords", name: "disable_words", tab: "relay", editor: "lines" },
  { key: "AutomaticEnableChannelEnabled", name: "auto_enable", tab: "relay" },
  { key: "ChannelProbeSeconds", name: "probe_seconds", tab: "relay" },
  { key: "BreakerFailures", name: "breaker_failures", tab: "relay" },
  { key: "BreakerRestSeconds", name: "breaker_rest", tab: "relay" },
  { key: "StreamKeepAliveSeconds", name: "silence_seconds", tab: "relay" },
  { key: "PreConsumedQuota", name: "reserve", tab: "relay" },
  { key: "ErrorLogEnabled", name: "error_log", tab: "relay" },
  { key: "UserRateLimits", name: "user_limits", tab: "limits", editor: "limit_rows" },
  { key: "ModelRateLimits", name: "model_limits", tab: "limits", editor: "limit_rows" },
  { key: "GlobalRateLimit", name: "global_limit", tab: "limits", editor: "limits" },
  { key: "AddressRateLimit", name: "address_limit", tab: "limits", editor: "limits" },
  { key: "ApiAddressRateLimit", name: "api_limit", tab: "limits", editor: "request_limits" },
  { key: "RegisterEnabled", name: "register", tab: "user" },
  { key: "PasswordLoginEnabled", name: "password_login", tab: "user" },
  { key: "QuotaForNewUser", name: "new_quota", tab: "user", editor: "usd" },
  { key: "MaxUserTokens", name: "max_tokens", tab: "user" },
  { key: "LoginAttempts", name: "login_attempts", tab: "user" },
  { key: "SessionHours", name: "session_hours", tab: "user" },
  { key: "SystemName", name: "system_name", tab: "site" },
  { key: "ServerAddress", name: "server_address", tab: "site", mono: true },
  { key: "Logo", name: "logo", tab: "site", mono: true },
  { key: "Notice", name: "notice", tab: "site", editor: "lines" },
  { key: "Footer", name: "footer", tab: "site", editor: "lines" },
  { key: "LogRetentionDays", name: "retention", tab: "site" },
  { key: "UsageRetentionDays", name: "usage_retention", tab: "site" },
] as const satisfies readonly {
  key: string;
  name: string;
  tab: Tab;
  editor?:
    "numbers" | "texts" | "json" | "lines" | "usd" | "limits" | "limit_rows" | "request_limits";
  mono?: boolean;
}[];

export type Known = (typeof OPTIONS)[number];
