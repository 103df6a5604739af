// The invariant of the ledger: nothing is lost, nothing is billed twice, nothing is negative.
import { expect } from "bun:test";
import { eventually } from "./eventually";
import { all, allLogs, type Log, type User } from "./management";
import type { TestServer } from "./server";

const CONSUME = 2;

/**
 * Waits until the bookkeeper is done, then checks every user's account against what he was granted
 * and against his logs. `served` are request ids whose replies were received in full: each must be
 * there exactly once.
 */
export async function books(server: TestServer, served: Iterable<string> = []): Promise<Log[]> {
  return eventually(async () => {
    expect(await server.metric("tf_journal_pending_records")).toBe(0);
    const users = await all<User>(server.admin, "/api/users");
    const logs = await allLogs(server.admin, `/api/logs?type=${CONSUME}`);
    expect(repeated(logs.map((log) => log.request_id))).toEqual([]);
    const booked = new Set(logs.map((log) => log.request_id));
    expect([...served].filter((id) => !booked.has(id))).toEqual([]);
    const accounts = users.filter((user) => server.granted.has(user.id));
    expect(accounts.map((user) => account(user))).toEqual(
      accounts.map((user) => balanced(user, logs, server.granted.get(user.id) ?? 0)),
    );
    return logs;
  });
}

function account(user: User): object {
  const { username, quota, used_quota } = user;
  return { username, quota, used_quota, negative: quota < 0 };
}

/** What the account must look like, given the logs. */
function balanced(user: User, logs: Log[], granted: number): object {
  const used = logs
    .filter((log) => log.user_id === user.id)
    .reduce((sum, log) => sum + log.quota, 0);
  return { username: user.username, quota: granted - used, used_quota: used, negative: false };
}

function repeated(ids: string[]): string[] {
  const seen = new Set<string>();
  return ids.filter((id) => seen.size === seen.add(id).size);
}
