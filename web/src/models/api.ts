// Made by `make web-types` from the program's own description of its API. Do not edit.

/** One page of a list; by number (page, total) or by cursor (next_cursor). */
export interface Page<T> {
  page?: number;
  page_size: number;
  total?: number;
  /** There are more than `total`. */
  total_more?: boolean;
  next_cursor?: string | null;
  /** The page is not full because time was up: it was searched back to here. */
  searched_to?: number;
  items: T[];
}

export interface User {
  id: number;
  username: string;
  display_name: string;
  email: string;
  remark?: string;
  language: string;
  role: number;
  status: number;
  group: string;
  quota: number;
  used_quota: number;
  request_count: number;
  created_at: number;
  last_login_at: number;
}

export interface UserInput {
  username: string;
  display_name?: string;
  email?: string;
  remark?: string;
  language?: string;
  role?: number;
  status?: number;
  group?: string;
}

export interface UserPatch {
  id: number;
  username?: string;
  display_name?: string;
  email?: string;
  remark?: string;
  language?: string;
  role?: number;
  status?: number;
  group?: string;
}

export interface Token {
  id: number;
  user_id: number;
  name: string;
  status: number;
  remain_quota: number;
  unlimited_quota: boolean;
  used_quota: number;
  expired_time: number;
  model_limits_enabled: boolean;
  model_limits: string;
  group: string;
  allow_ips: string;
  rpm: number;
  tpm: number;
  rpd: number;
  concurrency: number;
  created_time: number;
  accessed_time: number;
  key: string;
}

export interface TokenInput {
  name: string;
  status?: number;
  remain_quota?: number;
  unlimited_quota?: boolean;
  expired_time?: number;
  model_limits_enabled?: boolean;
  model_limits?: string;
  group?: string;
  allow_ips?: string;
  rpm?: number;
  tpm?: number;
  rpd?: number;
  concurrency?: number;
}

export interface TokenPatch {
  id: number;
  name?: string;
  status?: number;
  remain_quota?: number;
  unlimited_quota?: boolean;
  expired_time?: number;
  model_limits_enabled?: boolean;
  model_limits?: string;
  group?: string;
  allow_ips?: string;
  rpm?: number;
  tpm?: number;
  rpd?: number;
  concurrency?: number;
}

export interface Channel {
  id: number;
  type: number;
  name: string;
  base_url: string;
  models: string;
  group: string;
  model_mapping: string;
  priority: number;
  weight: number;
  status: number;
  auto_ban: boolean;
  tag: string;
  remark: string;
  proxy: string;
  other: string;
  header_override: string;
  param_override: string;
  system_prompt: string;
  test_model: string;
  rpm: number;
  tpm: number;
  rpd: number;
  concurrency: number;
  response_time: number;
  used_quota: number;
  balance: number;
  status_reason: string;
  status_time: number;
  key_states: string;
  created_time: number;
  test_time: number;
  key_count: number;
}

export interface ChannelInput {
  type: number;
  name: string;
  key?: string;
  base_url?: string;
  models?: string;
  group?: string;
  model_mapping?: string;
  priority?: number;
  weight?: number;
  status?: number;
  auto_ban?: boolean;
  tag?: string;
  remark?: string;
  proxy?: string;
  other?: string;
  header_override?: string;
  param_override?: string;
  system_prompt?: string;
  test_model?: string;
  rpm?: number;
  tpm?: number;
  rpd?: number;
  concurrency?: number;
}

export interface ChannelPatch {
  id: number;
  type?: number;
  name?: string;
  key?: string;
  base_url?: string;
  models?: string;
  group?: string;
  model_mapping?: string;
  priority?: number;
  weight?: number;
  status?: number;
  auto_ban?: boolean;
  tag?: string;
  remark?: string;
  proxy?: string;
  other?: string;
  header_override?: string;
  param_override?: string;
  system_prompt?: string;
  test_model?: string;
  rpm?: number;
  tpm?: number;
  rpd?: number;
  concurrency?: number;
}

export interface Log {
  id: number;
  request_id: string;
  created_at: number;
  type: number;
  user_id: number;
  username: string;
  token_id: number;
  token_name: string;
  channel_id?: number;
  model_name: string;
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  quota: number;
  use_time_ms: number;
  first_token_ms: number;
  is_stream: boolean;
  group: string;
  ip: string;
  content: string;
  other: string;
}

export interface LogInput {
}

export interface LogPatch {
  id: number;
}

export interface Login {
  username: string;
  password: string;
}

export interface Registration {
  username: string;
  password: string;
  display_name?: string;
}

export interface PasswordChange {
  original_password: string;
  password: string;
}

export interface Profile {
  display_name?: string;
  language?: string;
}

export interface Setup {
  token: string;
  username: string;
  password: string;
}

export interface UserCreation {
  username: string;
  password: string;
  display_name?: string;
  remark?: string;
  role?: number;
  group?: string;
  quota?: number;
}

export interface UserChange {
  password?: string;
  display_name?: string;
  remark?: string;
  role?: number;
  status?: number;
  group?: string;
}

export interface UserAction {
  id: number;
  action: string;
  mode?: string;
  value?: number;
}

export interface ChannelTest {
  id: number;
  model?: string;
}

export interface ModelFetch {
  type?: number;
  base_url?: string;
  key?: string;
  proxy?: string;
}

export interface KeyChoice {
  key: string;
}

export interface TagPatch {
  tag: string;
  new_tag?: string;
  status?: number;
  priority?: number;
  weight?: number;
  group?: string;
  models?: string;
  model_mapping?: string;
}

export interface Status {
  system_name: string;
  version: string;
  quota_per_unit: number;
  setup: boolean;
  logo: string;
  footer: string;
  notice: string;
  server_address: string;
  register_enabled: boolean;
  password_login_enabled: boolean;
  self_use_mode_enabled: boolean;
}

export interface Group {
  desc: string;
  ratio: number;
}

export interface ModelPrice {
  model: string;
  groups: string[];
  priced: boolean;
  per_call: boolean;
  call_price: number;
  model_ratio: number;
  completion_ratio: number;
  cache_ratio: number;
  create_cache_ratio: number;
  create_cache_1h_ratio: number;
}

export interface Pricing {
  models: ModelPrice[];
  groups: Record<string, Group>;
}

export interface ChannelType {
  type: number;
  name: string;
  base_url: string;
  needs_base_url: boolean;
  models: string;
  logo: string;
}

export interface ChannelTag {
  tag: string;
  channels: number;
  on: number;
  off: number;
  auto_off: number;
  used_quota: number;
  priority_min: number;
  priority_max: number;
  weight_min: number;
  weight_max: number;
  models: number;
}

export interface TagChoice {
  tag: string;
}

export interface TagChanged {
  channels: number;
}

export interface ChannelKey {
  id: string;
  end: string;
  status: number;
  reason: string;
  time: number;
  failures: number;
  resting_ms: number;
}

export interface ChannelTestResult {
  id: number;
  model: string;
  ok: boolean;
  response_time: number;
  status: number;
  message: string;
}

export interface ChannelCreation {
  mode: string;
  channel: ChannelInput;
}

export interface Key {
  key: string;
}

export interface Option {
  key: string;
  value: string;
  group: string;
  type: string;
  default: string;
  secret: boolean;
}

export interface Usage {
  at: number;
  model: string;
  requests: number;
  errors: number;
  quota: number;
  prompt_tokens: number;
  completion_tokens: number;
  use_time_ms: number;
}

export interface TopUser {
  username: string;
  requests: number;
  quota: number;
  tokens: number;
}

export interface Dashboard {
  from: number;
  to: number;
  step: number;
  requests_per_minute: number;
  tokens_per_minute: number;
  items: Usage[];
  users: TopUser[];
}

export interface OptionValue {
  key: string;
  value: string;
}

export interface OptionChange {
  key: string;
  value: unknown;
}

/** Every operation: what it takes and what it answers. */
export interface Operations {
  /** Makes the root account by the one-time link */
  "POST /api/setup": {
    params: undefined;
    query: undefined;
    body: Setup;
    data: User;
  };
  /** What everybody may know about this installation */
  "GET /api/config": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: Status;
  };
  /** What everybody may know about this installation */
  "GET /api/status": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: Status;
  };
  /** What everybody may know about this installation */
  "GET /api/user/status": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: Status;
  };
  /** Models and what they cost, by group */
  "GET /api/pricing": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: Pricing;
  };
  /** This description */
  "GET /api/openapi.json": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: null;
  };
  /** Opens an account */
  "POST /api/user/register": {
    params: undefined;
    query: undefined;
    body: Registration;
    data: User;
  };
  /** Begins a session */
  "POST /api/user/login": {
    params: undefined;
    query: undefined;
    body: Login;
    data: User;
  };
  /** Ends the session */
  "POST /api/user/logout": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: null;
  };
  /** One's own account */
  "GET /api/user/self": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: User;
  };
  /** Changes one's own account */
  "PUT /api/user/self": {
    params: undefined;
    query: undefined;
    body: Profile;
    data: User;
  };
  /** Changes one's own password */
  "PUT /api/user/self/password": {
    params: undefined;
    query: undefined;
    body: PasswordChange;
    data: null;
  };
  /** Makes a new access token; the old one dies */
  "GET /api/user/token": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: string;
  };
  /** Makes a new access token; the old one dies */
  "POST /api/user/token": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: string;
  };
  /** Groups that one's own keys may use */
  "GET /api/user/groups": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: Record<string, Group>;
  };
  /** Users */
  "GET /api/users": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; username?: string; display_name?: string; email?: string; role?: number; status?: number; group?: string };
    body: undefined;
    data: Page<User>;
  };
  /** Makes a user */
  "POST /api/users": {
    params: undefined;
    query: undefined;
    body: UserCreation;
    data: User;
  };
  /** Users by a piece of their names */
  "GET /api/users/search": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; username?: string; display_name?: string; email?: string; role?: number; status?: number; group?: string; keyword?: string };
    body: undefined;
    data: Page<User>;
  };
  /** A user */
  "GET /api/users/{id}": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: User;
  };
  /** Changes a user */
  "PUT /api/users/{id}": {
    params: { id: number };
    query: undefined;
    body: UserChange;
    data: User;
  };
  /** Deletes a user with all keys */
  "DELETE /api/users/{id}": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: null;
  };
  /** Enables, disables, promotes, pays, ... */
  "POST /api/user/manage": {
    params: undefined;
    query: undefined;
    body: UserAction;
    data: User;
  };
  /** Channels */
  "GET /api/channel": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; type?: number; name?: string; base_url?: string; models?: string; group?: string; status?: number; tag?: string };
    body: undefined;
    data: Page<Channel>;
  };
  /** Makes one channel, or one per key */
  "POST /api/channel": {
    params: undefined;
    query: undefined;
    body: ChannelCreation;
    data: Channel;
  };
  /** Changes a channel */
  "PUT /api/channel": {
    params: undefined;
    query: undefined;
    body: ChannelPatch;
    data: Channel;
  };
  /** Channels by a piece of their texts, a group or a model */
  "GET /api/channel/search": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; type?: number; name?: string; base_url?: string; models?: string; group?: string; status?: number; tag?: string; keyword?: string; model?: string };
    body: undefined;
    data: Page<Channel>;
  };
  /** The providers that are known */
  "GET /api/channel/types": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: ChannelType[];
  };
  /** Asks a channel something small */
  "POST /api/channel/test": {
    params: undefined;
    query: undefined;
    body: ChannelTest;
    data: ChannelTestResult;
  };
  /** The same */
  "GET /api/channel/test/{id}": {
    params: { id: number };
    query: { model?: string };
    body: undefined;
    data: ChannelTestResult;
  };
  /** The models that an upstream names */
  "POST /api/channel/fetch/models": {
    params: undefined;
    query: undefined;
    body: ModelFetch;
    data: string[];
  };
  /** Tags, with what their channels have in common */
  "GET /api/channel/tags": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: ChannelTag[];
  };
  /** Changes all channels of a tag */
  "PUT /api/channel/tag": {
    params: undefined;
    query: undefined;
    body: TagPatch;
    data: TagChanged;
  };
  /** Switches all channels of a tag on */
  "POST /api/channel/tag/enabled": {
    params: undefined;
    query: undefined;
    body: TagChoice;
    data: TagChanged;
  };
  /** Switches all channels of a tag off */
  "POST /api/channel/tag/disabled": {
    params: undefined;
    query: undefined;
    body: TagChoice;
    data: TagChanged;
  };
  /** A channel */
  "GET /api/channel/{id}": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: Channel;
  };
  /** Deletes a channel */
  "DELETE /api/channel/{id}": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: null;
  };
  /** How each of a channel's keys does, without the key */
  "GET /api/channel/{id}/keys": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: ChannelKey[];
  };
  /** Puts a key back into service */
  "POST /api/channel/{id}/keys/enable": {
    params: { id: number };
    query: undefined;
    body: KeyChoice;
    data: null;
  };
  /** One's own keys, masked */
  "GET /api/token": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; user_id?: number; name?: string; status?: number; unlimited_quota?: boolean; group?: string };
    body: undefined;
    data: Page<Token>;
  };
  /** Makes a key and shows it whole */
  "POST /api/token": {
    params: undefined;
    query: undefined;
    body: TokenInput;
    data: Token;
  };
  /** Changes a key's rules */
  "PUT /api/token": {
    params: undefined;
    query: undefined;
    body: TokenPatch;
    data: Token;
  };
  /** One's own keys by a piece of the name */
  "GET /api/token/search": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; user_id?: number; name?: string; status?: number; unlimited_quota?: boolean; group?: string; keyword?: string };
    body: undefined;
    data: Page<Token>;
  };
  /** A key, masked */
  "GET /api/token/{id}": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: Token;
  };
  /** Deletes a key */
  "DELETE /api/token/{id}": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: null;
  };
  /** Shows a key whole */
  "POST /api/token/{id}/key": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: Key;
  };
  /** One's own log, newest first */
  "GET /api/log/self": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; request_id?: string; created_at?: number; type?: number; user_id?: number; username?: string; token_id?: number; token_name?: string; channel_id?: number; model_name?: string; is_stream?: boolean; group?: string; start_timestamp?: number; end_timestamp?: number; cursor?: string };
    body: undefined;
    data: Page<Log>;
  };
  /** Everybody's log, newest first */
  "GET /api/logs": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; request_id?: string; created_at?: number; type?: number; user_id?: number; username?: string; token_id?: number; token_name?: string; channel_id?: number; model_name?: string; is_stream?: boolean; group?: string; start_timestamp?: number; end_timestamp?: number; cursor?: string };
    body: undefined;
    data: Page<Log>;
  };
  /** Everybody's log, newest first */
  "GET /api/log": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; request_id?: string; created_at?: number; type?: number; user_id?: number; username?: string; token_id?: number; token_name?: string; channel_id?: number; model_name?: string; is_stream?: boolean; group?: string; start_timestamp?: number; end_timestamp?: number; cursor?: string };
    body: undefined;
    data: Page<Log>;
  };
  /** Everybody's log by a whole request id, user name, token name or model name */
  "GET /api/log/search": {
    params: undefined;
    query: { p?: number; page_size?: number; sort?: string; id?: number; request_id?: string; created_at?: number; type?: number; user_id?: number; username?: string; token_id?: number; token_name?: string; channel_id?: number; model_name?: string; is_stream?: boolean; group?: string; keyword?: string; start_timestamp?: number; end_timestamp?: number; cursor?: string };
    body: undefined;
    data: Page<Log>;
  };
  /** Deletes a line of the log, and says so in another */
  "DELETE /api/log/{id}": {
    params: { id: number };
    query: undefined;
    body: undefined;
    data: null;
  };
  /** What was used, by hour or day and model */
  "GET /api/dashboard": {
    params: undefined;
    query: { start_timestamp?: number; end_timestamp?: number; zone_minutes?: number; all?: number };
    body: undefined;
    data: Dashboard;
  };
  /** All options */
  "GET /api/option": {
    params: undefined;
    query: undefined;
    body: undefined;
    data: Option[];
  };
  /** Sets an option */
  "PUT /api/option": {
    params: undefined;
    query: undefined;
    body: OptionChange;
    data: null;
  };
  /** An option */
  "GET /api/option/{key}": {
    params: { key: string };
    query: undefined;
    body: undefined;
    data: OptionValue;
  };
}
