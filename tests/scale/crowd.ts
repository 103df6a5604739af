// Many users with keys, and many channels, written straight into the database: through the API it
// would take hours. One of each is made by the API and copied.
import { SQL } from "bun";
import { createHash } from "node:crypto";

const CHUNK = 500;

type Row = Record<string, unknown>;

const quoted = (name: string, mysql: boolean) => (mysql ? `\`${name}\`` : `"${name}"`);

export class Crowd {
  private readonly sql: SQL;
  private readonly mysql: boolean;

  constructor(dsn: string) {
    this.sql = new SQL(dsn, { max: 1 });
    this.mysql = dsn.startsWith("mysql");
  }

  close(): Promise<void> {
    return this.sql.close();
  }

  /** A user with a key for each number; the keys, as their clients send them. */
  async addCallers(user: number, token: number, from: number, to: number): Promise<string[]> {
    const [likeUser, likeToken] = [await this.row("users", user), await this.row("tokens", token)];
    const keys: string[] = [];
    const base = 1_000_000;
    await this.copies("users", likeUser, from, to, (n) => ({
      id: base + n,
      username: `crowd${n}`,
      email: null,
      access_token_digest: null,
      quota: 1_000_000_000,
    }));
    await this.copies("tokens", likeToken, from, to, (n) => {
      const key = String(n).padStart(48, "k");
      keys.push(`sk-${key}`);
      const key_digest = createHash("sha256").update(key).digest("hex");
      return { id: base + n, user_id: base + n, name: `key${n}`, key_digest };
    });
    return keys;
  }

  /** Channels with ten models of their own each. */
  async addChannels(channel: number, from: number, to: number): Promise<void> {
    const base = 1_000_000;
    const names = (n: number) => Array.from({ length: 10 }, (_, i) => `crowd-model-${n}-${i}`);
    const like = await this.row("channels", channel);
    const [ability] = await this.ask(`SELECT * FROM abilities WHERE channel_id = ${channel}`);
    await this.copies("channels", like, from, to, (n) => ({
      id: base + n,
      name: `crowd${n}`,
      models: names(n).join(","),
    }));
    await this.copies("abilities", ability!, from * 10, to * 10 + 9, (n) => ({
      id: base + n,
      channel_id: base + Math.floor(n / 10),
      model: names(Math.floor(n / 10))[n % 10],
    }));
  }

  private ask(text: string): Promise<Row[]> {
    return this.sql.unsafe(text) as Promise<Row[]>;
  }

  private async row(table: string, id: number): Promise<Row> {
    const [row] = await this.ask(`SELECT * FROM ${table} WHERE id = ${id}`);
    return row!;
  }

  private async copies(
    table: string,
    like: Row,
    from: number,
    to: number,
    change: (n: number) => Row,
  ): Promise<void> {
    const names = Object.keys(like);
    const columns = names.map((name) => quoted(name, this.mysql)).join(", ");
    for (let at = from; at <= to; at += CHUNK) {
      const rows: string[] = [];
      for (let n = at; n <= Math.min(to, at + CHUNK - 1); n++) {
        const row: Row = { ...like, ...change(n) };
        rows.push(`(${names.map((name) => literal(row[name])).join(", ")})`);
      }
      await this.sql.unsafe(`INSERT INTO ${table} (${columns}) VALUES ${rows.join(", ")}`);
    }
  }
}

/** Only for values that our own program wrote: no backslashes among them. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return `'${String(value).replaceAll("'", "''")}'`;
}
