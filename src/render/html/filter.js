
"use strict";
(() => {
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("tr[data-control]")];
  const apply = () => {
    const { severity, result, namespace } = Object.fromEntries(new FormData(form));
    const isAsked = (row) => (!severity || row.dataset.severity === severity) && (!result || row.dataset.result === result);
    const isThere = (row) => row.dataset.namespace === namespace;
    // A control is in a namespace by its findings there.
    const there = new Set(rows.filter(isThere).map((row) => row.dataset.control));
    for (const row of rows) {
      const isFinding = "namespace" in row.dataset;
      const isInPlace = !namespace || (isFinding ? isThere(row) : there.has(row.dataset.control));
      row.hidden = !(isAsked(row) && isInPlace);
    }
    const shown = (table) => document.querySelectorAll(`.${table} tr[data-control]:not([hidden])`).length;
    document.getElementById("shown").textContent = `Shown: controls ${shown("controls")}, findings ${shown("findings")}.`;
  };
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
})();
