// The books as the database has them, read past the server: for when it was just killed, too.
import { SQL } from "bun";
import { Database } from "bun:sqlite";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Row {
  request_id: string;
  user_id: number;
  token_id: number;
  quota: number;
  prompt_tokens: number;
  other: string;
}

export interface Audit {
  /** Consume rows, oldest first. */
  rows: Row[];
  /** What is negative, or does not add up; one line each. */
  wrong: string[];
}

export interface Granted {
  users: Map<number, number>;
  /** Limited tokens only. */
  tokens: Map<number, number>;
}

interface Account {
  id: number;
  balance: number;
  used: number;
  leased: number;
  logged: number;
}

const accounts = (logs: string) => ({
  user: `SELECT id, quota AS balance, used_quota AS used,
    (SELECT coalesce(sum(amount), 0) FROM leases WHERE kind = 'user' AND owner_id = users.id) AS leased,
    (SELECT coalesce(sum(quota), 0) FROM ${logs} WHERE type = 2 AND user_id = users.id) AS logged FROM users`,
  token: `SELECT id, remain_quota AS balance, used_quota AS used,
    (SELECT coalesce(sum(amount), 0) FROM leases WHERE kind = 'token' AND owner_id = tokens.id) AS leased,
    (SELECT coalesce(sum(quota), 0) FROM ${logs} WHERE type = 2 AND token_id = tokens.id) AS logged FROM tokens`,
});

const MAIN = "token-factory.db";
/** Where a LOG_SQL_DSN in the data folder puts the log, for `audit`. */
export const LOG_FILE = "log.db";

/**
 * Copies the databases first: looking must not change what the next start finds. A log of its own
 * is as far as its own position in the journal: it agrees with the accounts when all is booked.
 */
export function audit(dataDir: string, granted: Granted, allBooked = true): Audit {
  const folder = mkdtempSync(join(tmpdir(), "tf-audit-"));
  const files = [MAIN, LOG_FILE].flatMap((file) => [file, `${file}-wal`]);
  try {
    for (const name of files)
      if (existsSync(join(dataDir, name))) copyFileSync(join(dataDir, name), join(folder, name));
    const db = new Database(join(folder, MAIN));
    const apart = existsSync(join(folder, LOG_FILE));
    if (apart) db.run(`ATTACH '${join(folder, LOG_FILE)}' AS apart`);
    const logs = apart ? "apart.logs" : "logs";
    const rows = db
      .query<Row, []>(
        `SELECT request_id, user_id, token_id, quota, prompt_tokens, other FROM ${logs} WHERE type = 2 ORDER BY id`,
      )
      .all();
    const { user, token } = accounts(logs);
    const agree = allBooked || !apart;
    const wrong = [
      ...judge("user", db.query<Account, []>(user).all(), granted.users, agree),
      ...judge("token", db.query<Account, []>(token).all(), granted.tokens, agree),
      ...rows.filter((row) => row.quota < 0).map((row) => `row ${row.request_id}: ${row.quota}`),
    ];
    db.close();
    return { rows, wrong };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same on a database server, when all nodes have ended in order: leases are given back. */
export async function auditServer(dsn: string, granted: Granted): Promise<Audit> {
  const sql = new SQL(dsn, { max: 1 });
  const numbers = (rows: Record<string, unknown>[]) =>
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, Number(v)])));
  try {
    const rows: Row[] = await sql.unsafe(
      "SELECT request_id, user_id, token_id, quota, prompt_tokens, other FROM logs WHERE type = 2",
    );
    for (const row of rows) {
      row.quota = Number(row.quota);
      row.prompt_tokens = Number(row.prompt_tokens);
    }
    const { user, token } = accounts("logs");
    const users = numbers(await sql.unsafe(user)) as never[];
    const tokens = numbers(await sql.unsafe(token)) as never[];
    const [{ held }] = await sql.unsafe("SELECT COUNT(*) AS held FROM leases WHERE amount <> 0");
    const wrong = [
      ...judge("user", users, granted.users),
      ...judge("token", tokens, granted.tokens),
      ...(Number(held) ? [`${held} leases were not given back`] : []),
    ];
    return { rows, wrong };
  } finally {
    await sql.close();
  }
}

function judge(
  kind: string,
  found: Account[],
  granted: Map<number, number>,
  agree = true,
): string[] {
  const wrong: string[] = [];
  for (const account of found) {
    const { id, balance, used, leased, logged } = account;
    const had = granted.get(id);
    const sums = `balance ${balance} + leased ${leased} + used ${used}`;
    if (balance < 0 || leased < 0 || used < 0) wrong.push(`${kind} ${id} is negative: ${sums}`);
    if (had !== undefined && balance + leased + used !== had)
      wrong.push(`${kind} ${id}: ${sums} is not the ${had} granted`);
    if (agree && used !== logged)
      wrong.push(`${kind} ${id}: used ${used}, but its logs say ${logged}`);
  }
  return wrong;
}
