// The gateway against upstreams and a machine that misbehave; prints one table.
//
//   bun tests/faults/faults.ts [upstreams | machine]         # make faults
import { books } from "../support/books";
import { machineFaults } from "./machine";
import { type Line, print, Stage } from "./stage";
import { leak, play, prepare, storm } from "./upstream_faults";
import { certificates } from "./upstreams";

/** One good request of every kind; what they and the first of each fault load stays for good. */
async function warm(stage: Stage): Promise<void> {
  for (const model of ["fake-oa", "fake-cl"])
    for (const client of ["openai", "claude"] as const)
      for (const stream of [true, false])
        if (!(await stage.ask(model, client, stream)).full) throw new Error(`${model} is not well`);
  await stage.settled();
}

/** Resident memory once what was left behind has been given back (src/relay/keeper.c). */
async function rested(stage: Stage): Promise<number> {
  for (let before = Infinity; ;) {
    const now = stage.rss;
    if (now > before * 0.99) return now;
    before = now;
    await Bun.sleep(11_000);
  }
}

async function upstreamFaults(lines: Line[]): Promise<void> {
  const made = await certificates();
  const stage = new Stage();
  await stage.open({
    env: {
      STREAMING_TIMEOUT: "2",
      CONNECT_TIMEOUT: "5",
      SSL_CERT_FILE: made.authority,
      LOG_LEVEL: "warn",
    },
  });
  const staged = await prepare(stage, made);
  await warm(stage);
  for (const one of staged) lines.push(await play(stage, one));
  const rss = await rested(stage),
    { openFiles } = stage;
  const sent = (await storm(stage, staged)) + (await storm(stage, staged));
  await books(stage.gw.server, stage.served);
  for (const one of staged) await one.upstream?.close();
  lines.push(await leak(stage, rss, openFiles, sent));
  stage.gw.server.assertQuiet();
  await stage.gw.close();
}

const lines: Line[] = [];
const only = process.argv[2];
if (only !== "machine") await upstreamFaults(lines);
if (only !== "upstreams") await machineFaults(lines);
print(lines);
const wrong = lines.flatMap((line) => line.wrong.map((what) => `${line.fault}: ${what}`));
for (const what of wrong) console.log(`WRONG ${what}`);
console.log(`faults=${lines.length} wrong=${wrong.length}`);
process.exit(wrong.length === 0 ? 0 : 1);
