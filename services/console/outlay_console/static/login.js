// A link of this machine's own commands carries the key behind #: no server, log or referrer ever sees it there.
function take() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("key").value = key;
  document.getElementById("login").requestSubmit();
}
addEventListener("hashchange", take);
take();
