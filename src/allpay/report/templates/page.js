// Puts each chart, whose specification lies in the block after it, into its place. Colours are those of the style sheet, so that
// nothing need be drawn again when a page turns dark or is printed.
(function () {
  "use strict";
  document.querySelectorAll("script[type='application/json'][data-chart]").forEach(function (block) {
    var place = document.getElementById(block.dataset.chart);
    var options = {
      renderer: "svg", tooltip: { theme: "custom" },
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: "allpay-" + block.dataset.chart
    };
    window.vegaEmbed(place, JSON.parse(block.textContent), options).catch(function (error) {
      place.textContent = "This chart cannot be drawn: " + error.message;
    });
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details.printed").forEach(function (part) { part.open = true; });
  });
})();
