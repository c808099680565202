(() => {
  const { names, steps: packed } = JSON.parse(document.getElementById("steps").textContent);
  const steps = packed.map(([at, title, values]) => ({
    at, title, rows: values.map((value, i) => [names[i], value]),
  }));
  const tip = document.getElementById("tip");
  const charts = [...document.querySelectorAll("svg.chart")];
  const number = (svg, name) => Number(svg.dataset[name]);
  let current = -1;

  const row = (name, value) => {
    const div = document.createElement("div");
    for (const words of [name, value]) {
      div.appendChild(document.createElement("span")).textContent = words;
    }
    return div;
  };
  const place = (x, y) => {
    const box = tip.getBoundingClientRect();
    const left = x + 16 + box.width > innerWidth ? x - 16 - box.width : x + 16;
    tip.style.left = `${Math.max(6, Math.min(left, innerWidth - box.width - 6))}px`;
    tip.style.top = `${Math.max(6, Math.min(y + 14, innerHeight - box.height - 6))}px`;
    tip.style.visibility = "visible";
  };
  const say = (title, rows, x, y) => {
    const head = document.createElement("b");
    head.textContent = title;
    tip.replaceChildren(head, ...rows.map(([name, value]) => row(name, value)));
    place(x, y);
  };
  const hide = () => {
    current = -1;
    tip.style.visibility = "hidden";
    document.querySelectorAll(".cross.on").forEach((line) => line.classList.remove("on"));
  };
  const show = (index, x, y) => {
    current = index;
    for (const svg of charts) {
      const left = number(svg, "left");
      const at = left + steps[index].at * (number(svg, "last") - left);
      const line = svg.querySelector(".cross");
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      line.classList.add("on");
    }
    say(steps[index].title, steps[index].rows, x, y);
  };
  const nearest = (share) => {
    let best = 0;
    steps.forEach((step, i) => {
      if (Math.abs(step.at - share) < Math.abs(steps[best].at - share)) best = i;
    });
    return best;
  };
  const words = (element) => {
    const title = element.querySelector(":scope > title");
    if (title) {
      element.dataset.words = title.textContent;
      element.setAttribute("aria-label", title.textContent);
      title.remove();
    }
    return element.dataset.words || "";
  };
  const sayMark = (mark, x, y) => {
    hide();
    const [title, ...reason] = mark.dataset.words.split(". ");
    say(title, reason.length ? [[reason.join(". "), ""]] : [], x, y);
  };

  for (const svg of charts) {
    svg.querySelectorAll("a.mark, rect").forEach(words);
    if (!steps.length) continue;
    const move = (event) => {
      const mark = event.target.closest("a.mark");
      if (mark) return sayMark(mark, event.clientX, event.clientY);
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * number(svg, "width");
      const [left, last] = [number(svg, "left"), number(svg, "last")];
      if (x < left - 4 || x > last + 4) return hide();
      show(nearest((x - left) / (last - left)), event.clientX, event.clientY);
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", hide);
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") hide();
      if (!by || event.target !== svg) return;
      event.preventDefault();
      const next = Math.max(0, Math.min(steps.length - 1, current + by));
      const box = svg.getBoundingClientRect();
      const [left, last] = [number(svg, "left"), number(svg, "last")];
      const at = left + steps[next].at * (last - left);
      show(next, box.left + (at / number(svg, "width")) * box.width, box.top + 20);
    });
    svg.addEventListener("focusout", hide);
    svg.querySelectorAll("a.mark").forEach((mark) => {
      mark.addEventListener("focus", () => {
        const box = mark.getBoundingClientRect();
        sayMark(mark, box.right, box.bottom);
      });
    });
  }
})();
