// The agents: how each is installed, told where to go, and run once without a terminal.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ToolCall } from "../support/fake/directives";

export interface Errand {
  /** The gateway's address. */
  url: string;
  key: string;
  model: string;
  prompt: string;
  /** Its own home and working folder. */
  home: string;
}

export interface Agent {
  name: string;
  package: string;
  binary: string;
  /** Its tool that shows the file at `path`, as its model would call it. */
  reads(path: string): ToolCall;
  prepare?(errand: Errand): void;
  args(errand: Errand): string[];
  env(errand: Errand): Record<string, string>;
  /** What it said, out of what it printed. */
  said(stdout: string): string;
}

const text = JSON.stringify;

function write(folder: string, name: string, content: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), content);
}

export const AGENTS: Agent[] = [
  {
    name: "Claude Code",
    package: "@anthropic-ai/claude-code",
    binary: "claude",
    reads: (path) => ({ name: "Read", args: { file_path: path } }),
    args: ({ prompt }) => [
      "-p",
      prompt,
      "--output-format",
      "json",
      "--permission-mode",
      "bypassPermissions",
    ],
    env: ({ url, key, model }) => ({
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_AUTH_TOKEN: key,
      ANTHROPIC_MODEL: model,
      ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
      DISABLE_TELEMETRY: "1",
      IS_SANDBOX: "1",
    }),
    said: (stdout) => String((JSON.parse(stdout) as { result?: unknown }).result),
  },
  {
    name: "Codex",
    package: "@openai/codex",
    binary: "codex",
    reads: (path) => ({ name: "exec_command", args: { cmd: `cat ${path}` } }),
    prepare: ({ url, model, home }) =>
      write(
        join(home, ".codex"),
        "config.toml",
        [
          `model = ${text(model)}`,
          'model_provider = "gateway"',
          "check_for_update_on_startup = false",
          "[model_providers.gateway]",
          'name = "Token Factory"',
          `base_url = ${text(`${url}/v1`)}`,
          'env_key = "TOKEN_FACTORY_KEY"',
          'wire_api = "responses"',
          "[analytics]",
          "enabled = false",
        ].join("\n"),
      ),
    args: ({ prompt }) => [
      "exec",
      "--skip-git-repo-check",
      "--dangerously-bypass-approvals-and-sandbox",
      prompt,
    ],
    env: ({ key, home }) => ({ CODEX_HOME: join(home, ".codex"), TOKEN_FACTORY_KEY: key }),
    said: (stdout) => stdout,
  },
  {
    name: "Gemini CLI",
    package: "@google/gemini-cli",
    binary: "gemini",
    reads: (path) => ({ name: "read_file", args: { file_path: path } }),
    prepare: ({ home }) =>
      write(
        join(home, ".gemini"),
        "settings.json",
        text({
          security: { auth: { selectedType: "gemini-api-key" } },
          general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
          privacy: { usageStatisticsEnabled: false },
          telemetry: { enabled: false },
        }),
      ),
    args: ({ prompt, model }) => ["-m", model, "--yolo", "--skip-trust", "-p", prompt],
    env: ({ url, key }) => ({ GEMINI_API_KEY: key, GOOGLE_GEMINI_BASE_URL: url }),
    said: (stdout) => stdout,
  },
];
