/**
 * The page's script. It filters the access matrix, opens and closes parts, and opens all of them for paper. It is one
 * constant text, which the page's policy allows by its hash: nothing of a report is ever in it.
 */
export const script = `"use strict";
(() => {
  const byId = (id) => document.getElementById(id)
  const form = byId("matrix-filters")
  if (form) {
    const table = byId("matrix")
    const rows = [...table.tBodies[0].rows]
    const headings = [...table.tHead.rows[0].cells]
    const texts = rows.map((row) => row.cells[0].textContent.toLowerCase())
    const apply = () => {
      const { access, kind, role, text } = Object.fromEntries(new FormData(form))
      const wanted = text.trim().toLowerCase()
      const column = role === "" ? undefined : Number(role) + 1
      let count = 0
      rows.forEach((row, index) => {
        const cells = column === undefined ? [...row.cells].slice(1) : [row.cells[column]]
        const fits =
          texts[index].includes(wanted) &&
          (kind === "" || row.dataset.kind === kind) &&
          (access === "" || cells.some((cell) => cell && cell.dataset.access === access))
        row.hidden = !fits
        if (fits) count++
        for (let at = 1; at < row.cells.length; at++) row.cells[at].hidden = column !== undefined && at !== column
      })
      headings.forEach((heading, at) => {
        heading.hidden = at > 0 && column !== undefined && at !== column
      })
      table.classList.toggle("one-role", column !== undefined)
      byId("matrix-empty").hidden = count > 0
      byId("matrix-count").textContent = count === rows.length ? rows.length + " tools" : count + " of " + rows.length + " tools"
    }
    form.hidden = false
    form.addEventListener("input", apply)
    form.addEventListener("submit", (event) => event.preventDefault())
    form.addEventListener("reset", () => setTimeout(apply))
    apply()
  }

  for (const button of document.querySelectorAll("[data-fold]")) {
    button.parentElement.hidden = false
    button.addEventListener("click", () => {
      for (const part of button.closest("section").querySelectorAll("details.tool")) part.open = button.dataset.fold === "open"
    })
  }

  const reveal = () => {
    const target = location.hash.length > 1 && byId(location.hash.slice(1))
    const part = target && target.closest("details")
    if (part && !part.open) {
      part.open = true
      target.scrollIntoView()
    }
  }
  addEventListener("hashchange", reveal)
  reveal()

  let opened = []
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")]
    for (const part of opened) part.open = true
  })
  addEventListener("afterprint", () => {
    for (const part of opened) part.open = false
    opened = []
  })
})()
`
