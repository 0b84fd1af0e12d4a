// Asks every two seconds whether the first event is here, and says so when it is.
const status = document.getElementById("first");

async function look() {
  if (status.dataset.state === "on") return;
  try {
    const answer = await fetch("/setup/start/state", { headers: { accept: "application/json" } });
    if (answer.ok && (await answer.json()).arrived) {
      status.dataset.state = "on";
      status.querySelector("[data-text]").textContent = "Your first event is here.";
      status.querySelector("[data-next]").hidden = false;
      return;
    }
  } catch {
    // The console restarts, or the network is away: ask again.
  }
  setTimeout(look, 2000);
}
look();
