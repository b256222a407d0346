"use strict";

// The token stands behind "#", which the browser sends to nobody.
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
history.replaceState(null, "", location.pathname);

const form = document.getElementById("form");
// Who has an authenticator is asked for its code once the link is known to be good.
const second = document.getElementById("second");
const code = document.getElementById("code");
const said = document.getElementById("said");
if (token === "") {
  form.hidden = true;
  said.textContent = "Open this page by the link in the mail.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "One moment …";
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({
        query: "mutation ($input: SetPasswordInput!) { setPassword(input: $input) { viewer { account { email } } userErrors { code message } } }",
        variables: { input: { token, password: document.getElementById("password").value, code: code.value } },
      }),
    });
    const { data, errors } = await response.json();
    const wrong = [...(errors ?? []), ...(data?.setPassword?.userErrors ?? [])];
    if (wrong.length > 0) {
      if (wrong.some((e) => e.code === "TOTP_REQUIRED" || e.code === "TOTP_WRONG")) {
        second.hidden = false;
        code.value = "";
        code.focus();
      }
      said.textContent = wrong.map((e) => e.message).join(" ");
      return;
    }
    form.hidden = true;
    said.textContent = `Done. You are signed in as ${data.setPassword.viewer.account.email}.`;
  } catch {
    said.textContent = "The service doesn't answer. Try again in a moment.";
  }
});
