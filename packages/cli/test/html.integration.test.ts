import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import axe from "axe-core"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { html } from "../src/reports/html.ts"
import { richReport } from "./fixtures/richReport.ts"

const folder = mkdtempSync(join(tmpdir(), "ferrule-page-"))
const address = pathToFileURL(join(folder, "report.html")).href
let browser: Browser

beforeAll(async () => {
  writeFileSync(join(folder, "report.html"), html(richReport))
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] })
})

afterAll(async () => {
  await browser.close()
  rmSync(folder, { recursive: true })
})

/** Opens the page, and fails if it asks for anything but itself or says anything to the console. */
const onPage = async (options: BrowserContextOptions, use: (page: Page) => Promise<void>) => {
  const context = await browser.newContext(options)
  const heard: Array<string> = []
  try {
    const page = await context.newPage()
    await page.route("**/*", (route) => {
      if (route.request().url() === address) return route.continue()
      heard.push(`asked for ${route.request().url()}`)
      return route.abort()
    })
    page.on("console", (message) => heard.push(message.text()))
    page.on("pageerror", (error) => heard.push(String(error)))
    page.on("dialog", (dialog) => heard.push(dialog.message()))
    await page.goto(address)
    await use(page)
    assert.strictEqual(await page.title(), "Order desk 2.4.1: connector audit")
    assert.deepStrictEqual(heard, [])
  } finally {
    await context.close()
  }
}

const desktop = { viewport: { width: 1360, height: 900 } }
const phone = { viewport: { width: 375, height: 812 }, isMobile: true, hasTouch: true }

const visibleTools = (page: Page) =>
  page.locator("#matrix tbody tr:visible th a").evaluateAll((links) => links.map(({ textContent }) => textContent))

const visibleRoles = (page: Page) =>
  page.locator("#matrix thead th:visible").evaluateAll((cells) => cells.slice(1).map(({ textContent }) => textContent))

const openAll = (page: Page) =>
  page.locator("details").evaluateAll((parts) => {
    for (const part of parts) part.setAttribute("open", "")
  })

describe("the HTML report in a browser", () => {
  it("shows the four answers first, and everything else below", () =>
    onPage(desktop, async (page) => {
      assert.deepStrictEqual(await page.locator(".answer-word").allTextContents(), ["Yes", "No", "No", "Open"])
      assert.isTrue(await page.locator(".answer").last().isVisible())
      assert.deepStrictEqual(await page.locator("main h2").allTextContents(), [
        "The four questions",
        "Findings",
        "Access",
        "Tools",
        "Checks",
        "Transcripts",
        "Accepted findings",
        "To confirm",
        "Record"
      ])
      assert.strictEqual(await page.locator("footer").textContent(), "Ferrule 0.1.0")
    }))

  it("filters the matrix by text, role, kind and access, and shows all again", () =>
    onPage(desktop, async (page) => {
      const form = page.locator("#matrix-filters")
      assert.strictEqual((await visibleTools(page)).length, 60)

      await form.getByLabel("Search").fill("INVOICE-desk")
      assert.deepStrictEqual(await visibleTools(page), [
        "search_invoice",
        "read_invoice",
        "create_invoice",
        "update_invoice"
      ])
      await form.getByLabel("Kind").selectOption("write")
      assert.deepStrictEqual(await visibleTools(page), ["create_invoice", "update_invoice"])
      assert.strictEqual(await page.locator("#matrix-count").textContent(), "2 of 60 tools")

      await form.getByRole("button", { name: "Show all" }).click()
      await page
        .locator("#matrix-count")
        .filter({ hasText: /^60 tools$/ })
        .waitFor()
      assert.strictEqual((await visibleTools(page)).length, 60)

      await form.getByLabel("Role").selectOption({ label: "admin" })
      await form.getByLabel("Access").selectOption("with-scopes")
      assert.deepStrictEqual(await visibleRoles(page), ["admin"])
      assert.strictEqual((await visibleTools(page)).filter((name) => name?.startsWith("delete_")).length, 12)
      assert.strictEqual((await visibleTools(page)).length, 12)

      await form.getByLabel("Role").selectOption({ label: "no role" })
      assert.deepStrictEqual(await visibleTools(page), [])
      assert.isTrue(await page.getByText("No tool is like that.").isVisible())
    }))

  it("leads from the matrix to a tool's contract, which opens", () =>
    onPage(desktop, async (page) => {
      const body = page.locator("#tool-2")
      assert.isFalse(await body.isVisible())
      await page.locator("#matrix").getByRole("link", { name: "create_ticket" }).click()
      await body.waitFor({ state: "visible" })
      assert.deepStrictEqual(await body.locator("table").first().locator("tbody th").allTextContents(), [
        "subject",
        "address",
        "address.street",
        "address.country",
        "lines",
        "lines[].sku",
        "lines[].quantity",
        "lines[].discount"
      ])
    }))

  it("says everything without JavaScript, and offers no filter that would not work", () =>
    onPage({ ...desktop, javaScriptEnabled: false }, async (page) => {
      assert.isFalse(await page.locator("#matrix-filters").isVisible())
      assert.isFalse(await page.getByRole("button", { name: "Open all" }).isVisible())
      assert.strictEqual((await visibleTools(page)).length, 60)
      await page.locator("summary").first().click()
      await page.locator("#matrix").getByRole("link", { name: "create_ticket" }).click()
      await page.locator("#tool-2").waitFor({ state: "visible" })
    }))

  it.each(["light", "dark"] as const)(
    "has no serious or critical fault of accessibility in %s",
    (colorScheme) =>
      onPage({ ...desktop, colorScheme }, async (page) => {
        await openAll(page)
        await page.evaluate(axe.source)
        const violations = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as { readonly axe: typeof import("axe-core") }
          const results = await axe.run()
          return results.violations.map(({ id, impact, nodes }) => ({
            id,
            impact,
            first: nodes[0]?.html,
            count: nodes.length
          }))
        })
        assert.deepStrictEqual(violations, [])
      }),
    180_000
  )

  it.each(["closed", "open"])("does not scroll sideways on a phone with everything %s", (state) =>
    onPage(phone, async (page) => {
      if (state === "open") await openAll(page)
      assert.deepStrictEqual(await page.evaluate("[document.documentElement.scrollWidth, innerWidth]"), [375, 375])
    })
  )

  it("prints everything that is folded or filtered away, and room to sign, and nothing that only works on a screen", () =>
    onPage(desktop, async (page) => {
      await page.locator("#matrix-filters").getByLabel("Search").fill("nothing is called that")
      assert.deepStrictEqual(await visibleTools(page), [])
      await page.emulateMedia({ media: "print" })
      assert.strictEqual((await visibleTools(page)).length, 60)
      assert.isFalse(await page.locator("#matrix-filters").isVisible())
      assert.isFalse(await page.locator("nav").isVisible())
      const heights = await page
        .locator(".tool-body, .transcript ol, .excerpt-fold pre, .signature, .decision")
        .evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect().height))
      assert.isAbove(heights.length, 70)
      assert.isAbove(Math.min(...heights), 8)
      const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1")
      const pages = pdf.match(/\/Type\s*\/Page\b/g)!.length
      assert.isAtLeast(pages, 30)
      assert.isAtMost(pages, 90)
    }))
})
