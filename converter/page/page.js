// What the page does beyond showing itself.  Nothing from a model is in here:
// the script reads the document, where every name is text.
"use strict";

(function () {
    const all = (selector, root) =>
        Array.from((root || document).querySelectorAll(selector));
    const search = document.getElementById("search");
    const found = document.getElementById("found");
    const rows = all("[data-row]");
    const texts = rows.map((row) => row.textContent.toLowerCase());

    function filter() {
        const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        rows.forEach((row, i) => {
            const fits = words.every((word) => texts[i].includes(word));
            row.hidden = !fits;
            shown += fits;
        });
        found.textContent = words.length
            ? shown + " of " + rows.length + " shown"
            : rows.length + " in all";
    }

    if (search) {
        search.addEventListener("input", filter);
        filter();
        document.addEventListener("keydown", (event) => {
            const typing = event.target.matches("input, textarea");
            if (event.key === "/" && !typing && !event.ctrlKey &&
                !event.metaKey && !event.altKey) {
                event.preventDefault();
                search.focus();
            } else if (event.key === "Escape" && event.target === search) {
                search.value = "";
                filter();
            }
        });
    }

    // Everything that belongs to one fold lights up together.
    let hot = [];
    function light(event) {
        const part = event.target.closest && event.target.closest("[data-g]");
        hot.forEach((element) => element.classList.remove("hot"));
        hot = [];
        if (!part)
            return;
        const groups = part.getAttribute("data-g").split(" ");
        hot = all("[data-g]").filter((element) =>
            element.getAttribute("data-g").split(" ")
                .some((group) => groups.includes(group)));
        hot.forEach((element) => element.classList.add("hot"));
    }
    document.addEventListener("mouseover", light);
    document.addEventListener("focusin", light);

    // A link may lead into something that is folded up or filtered out.
    function reveal() {
        const target = document.getElementById(location.hash.slice(1));
        if (!target)
            return;
        for (let e = target; e; e = e.parentElement) {
            if (e.tagName === "DETAILS")
                e.open = true;
            if (e.hidden) {
                search.value = "";
                filter();
            }
        }
        target.scrollIntoView({ block: "center" });
    }
    window.addEventListener("hashchange", reveal);
    reveal();

    const toggle = document.getElementById("expand");
    function expand(open) {
        all("details").forEach((details) => { details.open = open; });
        toggle.textContent = open ? "Collapse all" : "Expand all";
        toggle.setAttribute("aria-pressed", String(open));
    }
    toggle.addEventListener("click", () =>
        expand(toggle.getAttribute("aria-pressed") !== "true"));
}());
