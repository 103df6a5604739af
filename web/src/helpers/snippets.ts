// How a first request is made, from everywhere.

export type SnippetKind = "curl" | "python" | "node" | "claude_code" | "codex";
export const SNIPPETS: SnippetKind[] = ["curl", "python", "node", "claude_code", "codex"];

interface Given {
  base: string;
  key: string;
  model: string;
  /** What the model is told; in the reader's language. */
  hello: string;
}

const text = JSON.stringify;
const shell = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`;

export function snippet(kind: SnippetKind, { base, key, model, hello }: Given): string {
  switch (kind) {
    case "curl":
      return [
        `curl ${base}/v1/chat/completions \\`,
        `  -H "Authorization: Bearer ${key}" \\`,
        `  -H "Content-Type: application/json" \\`,
        `  -d ${shell(
          [
            "{",
            `    "model": ${text(model)},`,
            `    "messages": [{"role": "user", "content": ${text(hello)}}]`,
            "  }",
          ].join("\n"),
        )}`,
      ].join("\n");
    case "python":
      return [
        "# pip install openai",
        "from openai import OpenAI",
        "",
        `client = OpenAI(base_url=${text(`${base}/v1`)}, api_key=${text(key)})`,
        "answer = client.chat.completions.create(",
        `    model=${text(model)},`,
        `    messages=[{"role": "user", "content": ${text(hello)}}],`,
        ")",
        "print(answer.choices[0].message.content)",
      ].join("\n");
    case "node":
      return [
        "// npm install openai",
        'import OpenAI from "openai";',
        "",
        `const client = new OpenAI({ baseURL: ${text(`${base}/v1`)}, apiKey: ${text(key)} });`,
        "const answer = await client.chat.completions.create({",
        `  model: ${text(model)},`,
        `  messages: [{ role: "user", content: ${text(hello)} }],`,
        "});",
        "console.log(answer.choices[0].message.content);",
      ].join("\n");
    case "claude_code":
      return [
        `export ANTHROPIC_BASE_URL=${text(base)}`,
        `export ANTHROPIC_AUTH_TOKEN=${text(key)}`,
        `export ANTHROPIC_MODEL=${text(model)}`,
        "claude",
      ].join("\n");
    case "codex":
      return [
        "# ~/.codex/config.toml",
        `model = ${text(model)}`,
        'model_provider = "token-factory"',
        "",
        "[model_providers.token-factory]",
        'name = "Token Factory"',
        `base_url = ${text(`${base}/v1`)}`,
        'env_key = "TOKEN_FACTORY_KEY"',
        'wire_api = "responses"',
        "",
        `# export TOKEN_FACTORY_KEY=${text(key)}`,
      ].join("\n");
  }
}
