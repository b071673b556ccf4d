/**
 * JSON as it is written rather than as it is meant, so that a case may hold what no value can: a name twice, a number of
 * four hundred digits, half of a surrogate pair, a nesting of a million levels.
 */
import * as fc from "fast-check"

/** The text of a value, or an object whose members are still open to change. */
export type Node = string | Members

export type Members = ReadonlyArray<readonly [name: string, value: Node]>

export const object = (fields: Readonly<Record<string, Node | undefined>>): Members =>
  Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))

export const write = (node: Node): string =>
  typeof node === "string"
    ? node
    : `{${node.map(([name, value]) => `${JSON.stringify(name)}:${write(value)}`).join(",")}}`

/** Changes the member that a path leads to; an `undefined` removes it. Where the path ends early, nothing changes. */
export const change = (
  node: Node,
  [name, ...rest]: ReadonlyArray<string>,
  to: (value: Node | undefined) => Node | undefined
): Node => {
  if (typeof node === "string" || name === undefined) return node
  const index = node.findIndex(([each]) => each === name)
  if (rest.length > 0 && index === -1) return node
  const value = rest.length > 0 ? change(node[index]![1], rest, to) : to(node[index]?.[1])
  if (index === -1) return value === undefined ? node : [...node, [name, value]]
  return value === undefined ? node.toSpliced(index, 1) : node.toSpliced(index, 1, [name, value])
}

/** Adds a member where the path leads, whether or not there is one of that name. */
export const add = (node: Node, path: ReadonlyArray<string>, name: string, value: Node, first: boolean): Node => {
  if (typeof node === "string") return node
  if (path.length === 0) return first ? [[name, value], ...node] : [...node, [name, value]]
  return change(node, path.slice(0, 1), (child) => child && add(child, path.slice(1), name, value, first))
}

const nested = (open: string, close: string, inner = "") =>
  fc
    .oneof(
      { weight: 40, arbitrary: fc.constantFrom(10, 100, 1000, 10_000) },
      { weight: 1, arbitrary: fc.constantFrom(100_000, 300_000) }
    )
    .map((depth) => open.repeat(depth) + inner + close.repeat(depth))

/** Values nested beyond what recursion bears. Objects and arrays, whole and cut off. */
export const deep: fc.Arbitrary<string> = fc.oneof(
  nested("[", "]"),
  nested('{"a":', "}", "1"),
  nested('[{"__proto__":', "}]", "null"),
  nested("[", ""),
  nested('{"a":', "")
)

const numbers = ["0", "-0", "1", "-1", "1.5", "3.0", "1e0", "1e3", "1e400", "-1e400", "1e-400", "9007199254740991"]
const hugeNumbers = ["9007199254740993", "-9007199254740993", `1${"0".repeat(400)}`, `0.${"1".repeat(400)}`]

/** Values of every kind. What is a string or a name holds `mark`. */
export const odd = (mark: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("null", "true", "false", "[]", "{}", '""') },
    { weight: 5, arbitrary: fc.constantFrom(...numbers, ...hugeNumbers) },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        `"${mark}"`,
        `["${mark}"]`,
        `{"${mark}":"${mark}"}`,
        `{"__proto__":{"${mark}":1}}`,
        `{"constructor":{"prototype":{"${mark}":1}}}`,
        `{"toString":"${mark}","valueOf":null,"toJSON":"${mark}","then":"${mark}"}`
      )
    },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        `"${mark}\\ud800"`,
        `"\\udc00${mark}"`,
        `"\\u0000${mark}"`,
        `"\\u2028${mark}\\u202e"`,
        `"${mark}\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n"`,
        `"${mark}\\u001b[31m"`,
        `"\u{1f600}${mark}\ufeff"`
      )
    },
    { weight: 2, arbitrary: fc.constantFrom(JSON.stringify(`${mark} `.repeat(500)), `"${"\\u0041".repeat(3000)}"`) },
    { weight: 1, arbitrary: deep }
  )
