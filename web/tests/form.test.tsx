// Forms: what is wrong is said beside the field, whoever says it.
import { Button } from "@douyinfe/semi-ui";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeAll, expect, test, vi } from "vitest";
import { FormBox, PasswordField, TextField } from "../src/components/form/fields.tsx";
import { useForm } from "../src/components/form/useForm.ts";
import { messageOf } from "../src/helpers/notify.ts";
import { required } from "../src/helpers/rules.ts";
import { setLanguage, startI18n } from "../src/i18n/index.ts";
import { ApiError } from "../src/services/http.ts";

beforeAll(async () => {
  await startI18n();
  await setLanguage("en");
});

function Sample({ send }: { send: (values: object) => Promise<unknown> }) {
  const form = useForm({
    initial: { username: "", password: "" },
    rules: { username: [required()] },
    send,
  });
  return (
    <FormBox form={form}>
      <TextField form={form} name="username" label="User name" />
      <PasswordField form={form} name="password" label="Password" />
      <Button htmlType="submit">Send</Button>
    </FormBox>
  );
}

const box = () => screen.getByLabelText<HTMLInputElement>("User name");
const submit = () => userEvent.click(screen.getByRole("button", { name: "Send" }));

test("our own rule keeps it from being sent, until it is met", async () => {
  const send = vi.fn(() => Promise.resolve());
  render(<Sample send={send} />);
  await submit();
  expect(send).not.toHaveBeenCalled();
  expect(screen.getByRole("alert").textContent).toBe("This is required");
  expect(box().getAttribute("aria-invalid")).toBe("true");
  expect(box().getAttribute("aria-describedby")).toBe(screen.getByRole("alert").id);
  await userEvent.type(box(), "ann");
  expect(screen.queryByRole("alert")).toBeNull();
  await submit();
  expect(send).toHaveBeenCalledWith({ username: "ann", password: "" });
});

test("the program's word stands beside the field that it is about", async () => {
  const failures = [
    new ApiError(409, "name_taken", "This name is taken."),
    new ApiError(400, "field_invalid", "The value of username is not acceptable.", "username"),
  ];
  render(<Sample send={() => Promise.reject(failures.shift())} />);
  await userEvent.type(box(), "ann");
  await submit();
  expect((await screen.findByRole("alert")).textContent).toBe("This name is taken.");
  expect(box().getAttribute("aria-invalid")).toBe("true");
  await userEvent.type(box(), "e");
  await submit();
  expect((await screen.findByRole("alert")).textContent).toBe("This value is not accepted");
});

test("what is about no field stands above all", async () => {
  render(<Sample send={() => Promise.reject(new ApiError(429, "login_limited", "Too many."))} />);
  await userEvent.type(box(), "ann");
  await submit();
  const alert = await screen.findByRole("alert");
  expect(alert.className).toBe("tf-form-failure");
  expect(alert.textContent).toBe("Too many.");
});

test("failures are told in the reader's language", async () => {
  const failure = new ApiError(401, "login_failed", "The user name or the password is wrong.");
  expect(messageOf(failure)).toBe("The user name or the password is wrong.");
  await setLanguage("fr");
  expect(messageOf(failure)).toBe("Nom d'utilisateur ou mot de passe incorrect.");
  expect(messageOf(new ApiError(418, "brand_new", "Only in English."))).toBe("Only in English.");
  await setLanguage("en");
  expect(messageOf(new ApiError(0, "network", ""))).toContain("cannot be reached");
});
