"use strict";
(() => {
  const $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const data = JSON.parse($("#payload").textContent), NS = "http://www.w3.org/2000/svg";
  const node = (tag, text, cls) => { const e = document.createElement(tag); if (text) e.textContent = text; if (cls) e.className = cls; return e; };
  const svg = (tag, attrs, text) => { const e = document.createElementNS(NS, tag); for (const k in attrs) e.setAttribute(k, attrs[k]); if (text) e.textContent = text; return e; };

  // what a number means: one sentence, by hover, touch or keyboard
  const tip = $("#tip");
  for (const e of $$("main [title]")) { e.dataset.tip = e.title; e.setAttribute("aria-description", e.title); e.removeAttribute("title"); }
  const show = e => {
    tip.textContent = e.dataset.tip; tip.hidden = false;
    const r = e.getBoundingClientRect(), w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(8, Math.min(innerWidth - w - 8, r.left + r.width / 2 - w / 2)) + "px";
    tip.style.top = (r.top - h - 8 < 4 ? r.bottom + 8 : r.top - h - 8) + "px";
  };
  const hide = () => { tip.hidden = true; };
  for (const [on, off] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    document.addEventListener(on, ev => { const e = ev.target.closest("[data-tip]"); if (e && e.dataset.tip) show(e); });
    document.addEventListener(off, ev => { if (ev.target.closest("[data-tip]")) hide(); });
  }
  addEventListener("scroll", hide, { passive: true });
  addEventListener("keydown", ev => { if (ev.key === "Escape") hide(); });

  // pictures, built from numbers and letters: never from markup
  const letters = (parts, w, gap, every) => {
    const out = document.createDocumentFragment();
    parts.forEach((part, i) => {
      const s = Math.min(4, Math.floor(Math.abs(w[i] || 0) * 4 + 0.5));
      out.append(s ? node("b", part, (w[i] > 0 ? "u" : "d") + s) : part, every && (i + 1) % every ? "" : gap);
    });
    return out;
  };
  const draw = p => {
    if (p.k === "i") { const e = node("img", "", "pic"); e.src = p.src; e.alt = "image of this row"; return e; }
    if (p.k === "m") {
      const e = svg("svg", { class: "mol", width: 1.5 * p.box[2], height: 1.5 * p.box[3], viewBox: p.box.join(" "), role: "img", "aria-label": "molecule" });
      for (const [x, y, w] of p.g) e.append(svg("circle", { class: w > 0 ? "up" : "down", cx: x, cy: y, r: 7.5, opacity: Math.min(1, Math.abs(w)) }));
      e.append(svg("path", { d: p.d }), svg("path", { class: "wedge", d: p.f }));
      for (const [x, y, t, a, c] of p.t) e.append(svg("text", { class: "e" + c, x, y: y + 4, "text-anchor": a }, t));
      return e;
    }
    if (p.k === "s") { const e = node("p", "", "seq"); e.append(letters([...p.text], p.w, " ", 10)); if (p.length > p.text.length) e.append(node("i", " of " + p.length)); return e; }
    if (p.k === "t") { const e = node("p", "", "freetext"); e.append(letters(p.words, p.w, " ", 1)); return e; }
    const t = node("table", "", "cells");
    for (const [a, b] of p.cells) { const r = t.insertRow(); r.append(node("th", a), node("td", b)); }
    return t;
  };

  // the map
  const box = $(".mapbox"), m = data.map;
  if (box && m) {
    const dots = $(".dots", box), card = $(".card", box), here = $(".here", dots), points = $$("circle:not(.here)", dots);
    let layout = 0, colour = 0, at = -1;
    const X = i => 20 + 0.96 * m.layouts[layout].x[i], Y = i => 20 + 0.62 * (1000 - m.layouts[layout].y[i]);
    const cls = (c, kind) => c < 0 ? "none" : kind === "number" ? "q" + c : "c" + c % 8 + (c < 8 ? "" : c < 16 ? " ring" : " ring fine");
    const tell = i => {
      at = i; here.setAttribute("cx", X(i)); here.setAttribute("cy", Y(i));
      card.replaceChildren();
      const pic = data.pictures[m.p[i]]; if (pic) card.append(draw(pic));
      const c = m.colours[colour];
      if (m.labels && m.labels[i]) { const p = node("p"); p.append(node("b", m.labels[i].replace(/^-(?=[\d.])/, "\u2212"))); card.append(p); }
      if (c) card.append(node("p", c.name + ": " + (c.codes[i] < 0 ? c.rest : c.levels[c.codes[i]]), "soft"));
      if (m.rows) card.append(node("p", "row " + m.rows[i], "soft"));
    };
    const nearest = (x, y, far) => {
      let best = -1, d2 = far * far;
      for (let i = 0; i < points.length; i++) { const dx = X(i) - x, dy = Y(i) - y, d = dx * dx + dy * dy; if (d < d2) { d2 = d; best = i; } }
      return best;
    };
    const point = ev => {
      const r = dots.getBoundingClientRect(), k = 1000 / r.width, i = nearest((ev.clientX - r.left) * k, (ev.clientY - r.top) * k, Math.max(40, 30 * k));
      if (i >= 0 && i !== at) tell(i);
    };
    dots.addEventListener("pointermove", point); dots.addEventListener("pointerdown", point);
    dots.addEventListener("keydown", ev => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[ev.key];
      if (!way) return;
      ev.preventDefault();
      if (at < 0) return tell(nearest(500, 330, 2000));
      let best = -1, cost = Infinity;
      for (let i = 0; i < points.length; i++) {
        const dx = X(i) - X(at), dy = Y(i) - Y(at), on = dx * way[0] + dy * way[1], off = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
        if (on > 1 && on + 2 * off < cost) { cost = on + 2 * off; best = i; }
      }
      if (best >= 0) tell(best);
    });
    const press = (b, all) => all.forEach(o => o.setAttribute("aria-pressed", o === b));
    const byColour = $$("[data-colour]"), byLayout = $$("[data-layout]");
    byColour.forEach(b => b.addEventListener("click", () => {
      press(b, byColour); colour = +b.dataset.colour;
      const c = m.colours[colour];
      points.forEach((p, i) => p.setAttribute("class", cls(c.codes[i], c.kind)));
      $$(".legend", box).forEach(l => { l.hidden = +l.dataset.legend !== colour; });
      if (at >= 0) tell(at);
    }));
    byLayout.forEach(b => b.addEventListener("click", () => {
      press(b, byLayout); layout = +b.dataset.layout;
      points.forEach((p, i) => { p.setAttribute("cx", X(i)); p.setAttribute("cy", Y(i)); });
      $(".axes", box).replaceChildren(node("span", "\u2192 " + m.layouts[layout].axes[0]), node("span", "\u2191 " + m.layouts[layout].axes[1]));
      if (m.layouts[layout].note) $("#map .laid").textContent = m.layouts[layout].note;
      if (at >= 0) tell(at);
    }));
    const dim = level => points.forEach((p, i) => p.classList.toggle("dim", level !== null && m.colours[colour].codes[i] !== level));
    $$(".legend li", box).forEach(li => {
      for (const on of ["pointerenter", "focus"]) li.addEventListener(on, () => dim(+li.dataset.level));
      for (const off of ["pointerleave", "blur"]) li.addEventListener(off, () => dim(null));
    });
  }

  // predicted against measured: point at a row to see it
  $$("[data-scatter]").forEach(f => {
    const s = data.scatter[+f.dataset.scatter], out = node("div", "", "card");
    if (!s) return;
    $(".pair", f).append(out);
    f.addEventListener("pointerover", ev => {
      const i = ev.target.dataset && ev.target.dataset.i;
      if (i === undefined) return;
      out.replaceChildren();
      const pic = data.pictures[s.p[i]]; if (pic) out.append(draw(pic));
      out.append(node("p", ("measured " + s.truth[i] + ", predicted " + s.predicted[i]).replaceAll("-", "\u2212")));
    });
  });

  // commands can be copied
  document.addEventListener("click", ev => {
    const b = ev.target.closest(".copy"); if (!b) return;
    const text = $("code,pre", b.parentNode), done = said => { b.textContent = said; setTimeout(() => { b.textContent = "copy"; }, 1500); };
    const select = () => { getSelection().selectAllChildren(text); done("selected"); };
    if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).then(() => done("copied"), select); else select();
  });

  // where the reader is; and paper shows what is folded away
  const links = $$("nav a"), seen = new IntersectionObserver(es => es.forEach(e => {
    if (e.isIntersecting) links.forEach(a => a.classList.toggle("on", a.hash === "#" + e.target.id));
  }), { rootMargin: "-20% 0px -70% 0px" });
  links.forEach(a => { const s = $(a.hash); if (s) seen.observe(s); });
  let opened = [];
  addEventListener("beforeprint", () => { opened = $$("details.fold:not([open]):not([data-own-file])"); opened.forEach(d => { d.open = true; }); });
  addEventListener("afterprint", () => opened.forEach(d => { d.open = false; }));
})();
