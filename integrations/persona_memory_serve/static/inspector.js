// The slider says where it stands while it is moved, and shows that moment when a pointer lets it go; by keyboard it is
// moved as far as one likes, and then “Show” is pressed.
const slider = document.querySelector("#step");
if (slider) {
  const moments = [...document.querySelectorAll("#moments option")].map((one) => one.label);
  const said = slider.form.querySelector("output");
  let pointed = false;
  slider.addEventListener("pointerdown", () => { pointed = true; });
  slider.addEventListener("keydown", () => { pointed = false; });
  slider.addEventListener("input", () => {
    said.value = `${slider.value} of ${slider.max} · ${moments[slider.value - 1]}`;
    slider.setAttribute("aria-valuetext", said.value);
  });
  slider.addEventListener("change", () => { if (pointed) slider.form.requestSubmit(); });
}
