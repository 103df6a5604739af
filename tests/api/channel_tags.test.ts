// Channels by their tags, and the keys of one: seen together, changed together, nothing shown.
import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually";
import { gateway } from "../support/gateway";
import type { Channel } from "../support/management";
import { ask } from "../support/fake";

const gw = gateway();

interface Tag {
  tag: string;
  channels: number;
  on: number;
  off: number;
  auto_off: number;
  priority_min: number;
  priority_max: number;
  weight_min: number;
  weight_max: number;
  models: number;
}
interface Key {
  id: string;
  end: string;
  status: number;
  reason: string;
  failures: number;
  resting_ms: number;
}

const tagOf = async (name: string): Promise<Tag | undefined> =>
  (await gw.server.admin.get<Tag[]>("/api/channel/tags")).find(({ tag }) => tag === name);
const channelOf = (id: number) => gw.server.admin.get<Channel>(`/api/channel/${id}`);
const asked = (model: string): Promise<Response> =>
  fetch(`${gw.server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gw.token.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: ask({}) }] }),
  });

describe("a tag", () => {
  test("adds up what its channels are", async () => {
    expect(await tagOf("sums")).toBeUndefined();
    await gw.addOpenai("t1", { models: "sum-a,sum-b", tag: "sums", priority: 2, weight: 3 });
    await gw.addOpenai("t2", { models: "sum-b", tag: "sums", priority: 7, status: 2 });
    await gw.addOpenai("t3", { models: "sum-c", tag: "other", priority: 9 });
    expect(await tagOf("sums")).toMatchObject({
      channels: 2,
      on: 1,
      off: 1,
      auto_off: 0,
      priority_min: 2,
      priority_max: 7,
      weight_max: 3,
      models: 2,
    });
  });

  test("is changed as a whole: what makes a channel itself stays its own", async () => {
    const one = await gw.addOpenai("c1", { models: "tag-a", tag: "whole", name: "one" });
    const two = await gw.addOpenai("c2", { models: "tag-b", tag: "whole", name: "two" });
    const beside = await gw.addOpenai("c3", { models: "tag-a", tag: "wholly", priority: 1 });
    const change = { tag: "whole", new_tag: "renamed", priority: 5, weight: 9, models: "tag-c" };
    const rude = { name: "same", base_url: "http://elsewhere.example", type: 14, key: "sk-stolen" };
    expect(await gw.server.admin.put<object>("/api/channel/tag", { ...change, ...rude })).toEqual({
      channels: 2,
    });
    for (const before of [one, two])
      expect(await channelOf(before.id)).toMatchObject({
        name: before.name,
        base_url: before.base_url,
        type: before.type,
        tag: "renamed",
        priority: 5,
        weight: 9,
        models: "tag-c",
      });
    expect(await channelOf(beside.id)).toMatchObject({
      tag: "wholly",
      priority: 1,
      models: "tag-a",
    });
    expect(await tagOf("whole")).toBeUndefined();
    await gw.setPrices({ ModelPrice: { "tag-c": 0.001 } });
    // with the keys that they had
    expect((await asked("tag-c")).status).toBe(200);
    await gw.server.admin.put("/api/channel/tag", { tag: "renamed", new_tag: "" });
    expect(await tagOf("renamed")).toBeUndefined();
  });

  test("is changed for all channels or for none", async () => {
    const model_mapping = JSON.stringify({ "loop-a": "loop-b" });
    const one = await gw.addOpenai("l1", { models: "loop-a", tag: "loops", priority: 1 });
    const two = await gw.addOpenai("l2", {
      models: "loop-a",
      tag: "loops",
      priority: 1,
      model_mapping,
    });
    const loop = JSON.stringify({ "loop-a": "loop-b", "loop-b": "loop-a" });
    const body = { tag: "loops", priority: 8, model_mapping: loop };
    await gw.server.admin.fail(400, "PUT", "/api/channel/tag", body);
    await gw.server.admin.fail(400, "PUT", "/api/channel/tag", { tag: "loops", status: 3 });
    await gw.server.admin.fail(400, "PUT", "/api/channel/tag", { tag: "loops", weight: -1 });
    await gw.server.admin.fail(400, "PUT", "/api/channel/tag", {
      tag: "loops",
      new_tag: "x".repeat(65),
    });
    for (const { id } of [one, two])
      expect(await channelOf(id)).toMatchObject({ priority: 1, status: 1, tag: "loops" });
  });

  test("is switched off and on, and the next request knows", async () => {
    await gw.addOpenai("s1", { models: "tag-switch", tag: "switch" });
    await gw.addOpenai("s2", { models: "tag-switch", tag: "switch" });
    await gw.setPrices({ ModelPrice: { "tag-switch": 0.001 } });
    await gw.server.admin.post("/api/channel/tag/disabled", { tag: "switch" });
    expect(await tagOf("switch")).toMatchObject({ on: 0, off: 2 });
    expect((await asked("tag-switch")).status).toBe(503);
    await gw.server.admin.post("/api/channel/tag/enabled", { tag: "switch" });
    expect(await tagOf("switch")).toMatchObject({ on: 2, off: 0 });
    expect((await asked("tag-switch")).status).toBe(200);
  });

  test("that nobody has is a 404, and administrators alone may", async () => {
    const { admin } = gw.server;
    for (const tag of ["nobody's", "%", "' OR 1=1 --"])
      await admin.fail(404, "PUT", "/api/channel/tag", { tag, priority: 1 });
    for (const body of [{}, { tag: "" }, { tag: 7 }])
      await admin.fail(400, "POST", "/api/channel/tag/disabled", body);
    const user = await gw.owner.api();
    await user.fail(403, "GET", "/api/channel/tags");
    await user.fail(403, "PUT", "/api/channel/tag", { tag: "switch", priority: 1 });
    await user.fail(403, "POST", "/api/channel/tag/enabled", { tag: "switch" });
    await user.fail(403, "GET", `/api/channel/${gw.openaiChannel.id}/keys`);
    await user.fail(403, "POST", `/api/channel/${gw.openaiChannel.id}/keys/enable`, { key: "x" });
  });
});

describe("keys", () => {
  test("are seen by their health alone, and put back one by one", async () => {
    const model = "fake-keys";
    const dead = "sk-fake-dead-one-0001";
    const { id } = await gw.addOpenai("keys", {
      models: model,
      auto_ban: true,
      key: `${dead}\nsk-fake-alive-two-0002\nshort`,
    });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    const keys = () => gw.server.admin.get<Key[]>(`/api/channel/${id}/keys`);
    expect((await keys()).map(({ end, status }) => [end, status])).toEqual([
      ["0001", 1],
      ["0002", 1],
      ["", 1],
    ]);
    expect(JSON.stringify(await keys())).not.toContain("fake-dead");
    gw.allowRefusals();
    gw.fake.behave(dead, { status: 401 });
    await gw.server.setOption("AutomaticDisableChannelEnabled", "true");
    await eventually(async () => {
      expect((await asked(model)).status).toBe(200);
      expect((await keys())[0]).toMatchObject({ status: 3, reason: expect.stringMatching(/./) });
    });
    await gw.server.setOption("AutomaticDisableChannelEnabled", "false");
    gw.fake.behave(dead, undefined);
    const [first, second] = await keys();
    await gw.server.admin.post(`/api/channel/${id}/keys/enable`, { key: first!.id });
    expect((await keys())[0]).toMatchObject({ status: 1, failures: 0, resting_ms: 0, reason: "" });
    await gw.server.admin.fail(404, "POST", `/api/channel/${id}/keys/enable`, { key: second!.id });
    await gw.server.admin.fail(400, "POST", `/api/channel/${id}/keys/enable`, { key: "x" });
    await gw.server.admin.fail(404, "GET", "/api/channel/999999/keys");
  });

  test("the last one that comes back brings its channel back", async () => {
    const model = "fake-key-last";
    const key = "sk-fake-only-key-0003";
    const { id } = await gw.addOpenai("last", { models: model, auto_ban: true, key });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    gw.allowRefusals();
    gw.fake.behave(key, { status: 401 });
    await gw.server.setOption("AutomaticDisableChannelEnabled", "true");
    await asked(model);
    await eventually(async () => expect((await channelOf(id)).status).toBe(3));
    await gw.server.setOption("AutomaticDisableChannelEnabled", "false");
    gw.fake.behave(key, undefined);
    const [only] = await gw.server.admin.get<Key[]>(`/api/channel/${id}/keys`);
    await gw.server.admin.post(`/api/channel/${id}/keys/enable`, { key: only!.id });
    expect(await channelOf(id)).toMatchObject({ status: 1 });
    expect((await asked(model)).status).toBe(200);
  });
});
