// Before the first paint: light or dark, as chosen or as the system has it. See src/context/theme.tsx.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("tf.theme");
  } catch (e) {
    // storage is forbidden: the system decides
  }
  var dark =
    choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  if (dark) document.body.setAttribute("theme-mode", "dark");
})();
