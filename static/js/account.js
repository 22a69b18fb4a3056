// The account page: whether this browser may notify, and asking it to.

const place = document.getElementById("notify-state");

function draw() {
  for (const part of place.querySelectorAll("[data-notify]")) {
    part.hidden = part.dataset.notify !== Notification.permission;
  }
}

if ("Notification" in window) {
  place.hidden = false;
  draw();
  place.addEventListener("click", async (event) => {
    if (!event.target.closest("[data-notify=default]")) return;
    await Notification.requestPermission();
    draw();
  });
}
