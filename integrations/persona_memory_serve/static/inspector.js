// The slider says where it stands while it is moved, and shows that moment when it is let go.
const slider = document.querySelector("#step");
if (slider) {
  const moments = [...document.querySelectorAll("#moments option")].map((one) => one.label);
  const said = slider.form.querySelector("output");
  slider.addEventListener("input", () => {
    said.value = `${slider.value} of ${slider.max} · ${moments[slider.value - 1]}`;
  });
  slider.addEventListener("change", () => slider.form.requestSubmit());
}
