"use strict";

// What stands behind "#" the browser sends to nobody.
const told = new URLSearchParams(location.hash.slice(1));
const token = told.get("token") ?? "";
const addressToken = told.get("email") ?? "";
history.replaceState(null, "", location.pathname);

const form = document.getElementById("form");
const address = document.getElementById("address");
// Who has an authenticator is asked for its code once the link is known to be good.
const second = document.getElementById("second");
const code = document.getElementById("code");
const said = document.getElementById("said");
form.hidden = token === "";
address.hidden = addressToken === "";
if (token === "" && addressToken === "") {
  said.textContent = "Open this page by the link in the mail.";
}

// ask sends a mutation and returns its payload; null if it was refused, which is said.
async function ask(field, query, input) {
  said.textContent = "One moment …";
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ query, variables: { input } }),
    });
    const { data, errors } = await response.json();
    const wrong = [...(errors ?? []), ...(data?.[field]?.userErrors ?? [])];
    if (wrong.length === 0) return data[field];
    if (wrong.some((e) => e.code === "TOTP_REQUIRED" || e.code === "TOTP_WRONG")) {
      second.hidden = false;
      code.value = "";
      code.focus();
    }
    said.textContent = wrong.map((e) => e.message).join(" ");
  } catch {
    said.textContent = "The service doesn't answer. Try again in a moment.";
  }
  return null;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const done = await ask(
    "setPassword",
    "mutation ($input: SetPasswordInput!) { setPassword(input: $input) { viewer { account { email } } userErrors { code message } } }",
    { token, password: document.getElementById("password").value, code: code.value },
  );
  if (done) {
    form.hidden = true;
    said.textContent = `Done. You are signed in as ${done.viewer.account.email}.`;
  }
});

address.addEventListener("submit", async (event) => {
  event.preventDefault();
  const done = await ask(
    "confirmEmail",
    "mutation ($input: ConfirmEmailInput!) { confirmEmail(input: $input) { email userErrors { code message } } }",
    { token: addressToken },
  );
  if (done) {
    address.hidden = true;
    said.textContent = `Done. Sign in as ${done.email} from now on.`;
  }
});
