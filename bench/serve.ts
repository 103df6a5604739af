// Starts mock, gateway and nginx as run.ts does and waits, for perf, strace and load by hand.
import { join } from "node:path";
import {
  LOAD_CORE,
  prepareFolder,
  startGateway,
  startMock,
  startNginx,
  TOOLS,
} from "./subjects.ts";

prepareFolder();
const mock = await startMock();
const subjects = [await startGateway(mock), await startNginx(mock)];
const tool = `taskset -c ${LOAD_CORE} ${join(TOOLS, "bench-load")}`;
console.log(`mock_pid=${mock.pid} ca=${mock.ca} mock_port=${mock.port} mock_tls=${mock.tlsPort}`);
for (const { name, port, tlsPort, key, pids } of subjects) {
  console.log(`${name}_pid=${pids().at(-1)} ${name}_key=${key}`);
  console.log(`${name}_port=${port} ${name}_tls=${tlsPort}`);
}
console.log(`load="${tool}"`);
setInterval(() => undefined, 1000);
