// Every row of the table, one after the other and then all at once: a storm must leave nothing.

import type { Channel } from "../support/management";
import type { Spoken } from "../support/shapes";
import { eventually } from "../support/eventually";
import { endOf, type Got, type Line, type Stage, summary } from "./stage";
import { type Fault, FAULTS, type Wanted } from "./table";
import { type Certificates, Upstream } from "./upstreams";

const CLIENTS: Spoken[] = ["openai", "claude"];
/** What a whole reply costs: 10 tokens in, 5 out at five times the price, twice. */
const WHOLE_PRICE = (10 + 5 * 5) * 2;

interface Staged {
  fault: Fault;
  channels: Channel[];
  models: string[];
  upstream: Upstream | undefined;
}

/** A model behind a channel of its own for each fault and dialect, so that none hides another. */
export async function prepare(stage: Stage, certificates: Certificates): Promise<Staged[]> {
  const out: Staged[] = [];
  const names = FAULTS.flatMap((_, i) => [`fault-${i}-oa`, `fault-${i}-cl`]);
  await stage.gw.setPrices({
    ModelRatio: Object.fromEntries(names.map((name) => [name, 2])),
    CompletionRatio: Object.fromEntries(names.map((name) => [name, 5])),
  });
  for (const [i, fault] of FAULTS.entries()) {
    const upstream = await fault.make?.(certificates);
    const [openai = "", claude = ""] = names.slice(2 * i, 2 * i + 2);
    const base_url = upstream?.url ?? fault.base_url;
    const own = base_url === undefined ? {} : { base_url };
    const channels = [await stage.gw.addOpenai(`fault${i}`, { models: openai, ...own })];
    const models = [openai];
    if (fault.make === undefined) {
      channels.push(await stage.gw.addClaude(`fault${i}`, { models: claude, ...own }));
      models.push(claude);
    }
    if (fault.wish) stage.gw.fake.behave(`fault${i}`, fault.wish);
    out.push({ fault, channels, models, upstream });
  }
  return out;
}

function asks(stage: Stage, { fault, models }: Staged): Promise<Got>[] {
  const shapes = [...(fault.stream ? [true] : []), ...(fault.whole ? [false] : [])];
  return models.flatMap((model) =>
    CLIENTS.flatMap((client) => shapes.map((stream) => stage.ask(model, client, stream))),
  );
}

function isAsWanted(got: Got, wanted: Wanted | undefined): boolean {
  if (wanted === "full") return got.full;
  if (wanted === "broken off") return got.brokenOff;
  if (wanted === "broken off or refused") return got.brokenOff || got.status === 502;
  return wanted?.includes(got.status) ?? false;
}

export async function play(stage: Stage, staged: Staged): Promise<Line> {
  const { fault } = staged;
  const gots = await Promise.all(asks(stage, staged));
  const wrong = gots
    .filter((got) => !isAsWanted(got, got.stream ? fault.stream : fault.whole))
    .map(
      (got) =>
        `${got.client} ${got.stream ? "stream" : "whole"} got ${summary([got])}: ${got.text.slice(-200)}`,
    );
  await stage.settled();
  const billed = await Promise.all(gots.map((got) => bill(stage, got, wrong)));
  return {
    fault: fault.name,
    got: summary(gots),
    billed: [...new Set(billed)].join(", "),
    recovered: await recover(stage, staged, wrong),
    wrong,
  };
}

/** Full replies cost what they cost, broken ones the text that came, others nothing. */
async function bill(stage: Stage, got: Got, wrong: string[]): Promise<string> {
  const row = await stage.billed(got.requestId);
  const complain = (what: string): void => {
    wrong.push(`${got.requestId} (${summary([got])}) ${what}`);
  };
  if (got.full && row?.quota !== WHOLE_PRICE) complain(`is billed ${row?.quota}`);
  if (got.brokenOff && got.text.includes("Hello") && !row?.quota)
    complain("is not billed for its text");
  if (!got.full && !got.brokenOff && row) complain(`is billed ${row.quota} for nothing`);
  if (!row) return "nothing";
  return got.full ? "exactly" : `what came (${endOf(row)})`;
}

/** The same channels, as soon as their upstream is well. */
async function recover(stage: Stage, staged: Staged, wrong: string[]): Promise<string> {
  const route = `fault${FAULTS.indexOf(staged.fault)}`;
  stage.gw.fake.behave(route, undefined);
  for (const channel of staged.channels) {
    const url = `${stage.gw.fake.url}/proxy/${route}`;
    await stage.gw.server.admin.put("/api/channel/", { id: channel.id, base_url: url });
  }
  const well = await Promise.all(staged.models.map((model) => stage.ask(model, "openai", true)));
  if (well.every((got) => got.full)) return "serves again";
  wrong.push(`does not recover: ${summary(well)}`);
  return "does not recover";
}

const ROUNDS = 6;
const AT_ONCE = 8;

/** All quick faults, many times over and all mixed up. */
export async function storm(stage: Stage, staged: Staged[]): Promise<number> {
  for (const [i, { fault, channels, upstream }] of staged.entries()) {
    if (fault.wish) stage.gw.fake.behave(`fault${i}`, fault.wish);
    const base_url = upstream?.url ?? fault.base_url ?? `${stage.gw.fake.url}/proxy/fault${i}`;
    for (const channel of channels)
      await stage.gw.server.admin.put("/api/channel/", { id: channel.id, base_url });
  }
  const quick = staged.filter(({ fault }) => !fault.once);
  let sent = 0;
  const lane = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++)
      for (const one of quick.toSorted(() => Math.random() - 0.5)) {
        const gots = await Promise.all(asks(stage, one));
        sent += gots.length;
      }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return sent;
}

/** Connections that nobody uses are closed after 75 seconds. */
const KEPT_MS = 90_000;

/** Memory and files go back to what they were. */
export async function leak(stage: Stage, rss: number, files: number, sent: number): Promise<Line> {
  const wrong: string[] = [];
  const now = (): string => `RSS ${rss} -> ${stage.rss} KiB, files ${files} -> ${stage.openFiles}`;
  await eventually(async () => {
    if (stage.rss > rss * 1.2 || stage.openFiles > files + 8) throw new Error(now());
    await Bun.sleep(200);
  }, KEPT_MS).catch((error: unknown) => wrong.push(String(error)));
  return { fault: `a storm of ${sent}`, got: "", billed: "", recovered: now(), wrong };
}
