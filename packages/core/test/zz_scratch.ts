import { Effect, Schema, Result, Option, SchemaGetter, SchemaTransformation } from "effect"
import * as TS from "../src/ToolSchema.ts"
const d = (s: string) => ({ description: s })
const show = (r: any) => console.log(JSON.stringify(Result.isSuccess(r) ? (r.success as any).jsonSchema ?? r.success : { FAIL: r.failure }, null, 0))
class Addr extends Schema.Class<Addr>("Addr")({ street: Schema.String.check(Schema.isMaxLength(5)).annotate(d("Street.")), at: Schema.optionalKey(Schema.DateTimeUtc.annotate(d("When."))) }) {}
const S = Schema.Struct({
  queue: Schema.Literals(["billing", "support"]).annotate(d("Queue.")),
  subject: Schema.String.check(Schema.isBetweenLength(1, 12)).annotate(d("Subject")),
  even: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 }), Schema.makeFilter((n: number) => n % 2 === 0, { expected: "an even number" })).annotate(d("Even one")),
  when: Schema.Date.annotate(d("date")),
  url: Schema.URL.annotate(d("url")),
  dec: Schema.BigDecimal.annotate(d("dec")),
  big: Schema.BigInt.annotate(d("big")),
  dflt: Schema.String.check(Schema.isMaxLength(3)).pipe(Schema.withDecodingDefaultKey(Effect.succeed("abc"))).annotate(d("dflt")),
  dflt2: Schema.String.check(Schema.isMaxLength(3)).pipe(Schema.withDecodingDefault(Effect.succeed("abc"))).annotate(d("dflt")),
  dflt3: Schema.Date.annotate({ examples: [new Date(0)] }).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(new Date(0)))).annotate(d("dflt")),
  opt: Schema.optional(Schema.Boolean).annotate(d("o")),
  optk: Schema.optionalKey(Schema.Boolean).annotateKey(d("o")),
  nul: Schema.NullOr(Schema.Finite.check(Schema.isBetween({ minimum: -1, maximum: 1 }))).annotate(d("n")),
  onull: Schema.OptionFromNullOr(Schema.String.check(Schema.isMaxLength(3))).annotate(d("n")),
  okey: Schema.OptionFromOptionalKey(Schema.String.check(Schema.isMaxLength(3))).annotate(d("n")),
  addr: Addr.annotate(d("addr")),
  tags: Schema.Array(Schema.String.check(Schema.isMaxLength(4))).check(Schema.isMaxLength(3), Schema.isUnique()).annotate(d("tags")),
  ne: Schema.NonEmptyArray(Schema.Boolean).check(Schema.isMaxLength(3)).annotate(d("tags")),
  tup: Schema.Tuple([Schema.Boolean, Schema.optionalKey(Schema.Null)]).annotate(d("tags")),
  u: Schema.Union([Schema.TaggedStruct("A", { x: Schema.Boolean.annotate(d("x")) }), Schema.TaggedStruct("B", { y: Schema.Boolean.annotate(d("x")) })]).annotate(d("u")),
  id: Schema.String.check(Schema.isUUID()).annotate(d("id")),
  pat: Schema.String.check(Schema.isPattern(/^[A-Z]{2,3}-\d+$/, { expected: "a code such as AB-12" }), Schema.isMaxLength(10)).annotate(d("id")),
  bytes: Schema.Uint8Array.annotate({ ...d("b"), unbounded: "small files" }),
  ms: Schema.DateTimeUtcFromMillis.annotate(d("ms")),
  trimmed: Schema.String.check(Schema.isMaxLength(4)).pipe(Schema.decodeTo(Schema.Trimmed, SchemaTransformation.trim())).annotate(d("t")),
})
const r = TS.input(S)
show(r)
if (Result.isSuccess(r)) {
  const good = { queue: "billing", subject: "😀😀", even: 2, when: "2026-01-31T09:30:00Z", url: "https://example.com/a", dec: "-1.5", big: "12", opt: null, nul: null, onull: null, addr: { street: "x" }, tags: ["a"], ne: [true], tup: [true], u: { _tag: "A", x: true }, id: "00000000-0000-0000-0000-000000000000", pat: "AB-1", bytes: "QQ==", ms: 5, trimmed: " a " }
  const v = r.success.decode(good)
  console.log(v)
  if (Result.isSuccess(v)) console.log(r.success.encode(v.success))
  console.log(r.success.decode({ ...good, even: 3, subject: "", u: { _tag: "C" }, ["bad key!"]: 1, extra: 1, tags: ["a", "a"] , nul: 5}))
  console.log(r.success.decode({ ...good, even: 3 }))
  console.log(r.success.decode("x"), r.success.decode({}))
}
show(TS.input(Schema.Struct({ a: Schema.String, b: Schema.Number.annotate(d("b")), c: Schema.Record(Schema.String, Schema.String).annotate(d("c")), password: Schema.Redacted(Schema.String).annotate(d("p")), e: Schema.Array(Schema.String).annotate(d("b")), f: Schema.NumberFromString.annotate(d("f")), g: Schema.FiniteFromString.annotate(d("f")), h: Schema.Option(Schema.Boolean).annotate(d("f")), i: Schema.Unknown.annotate(d("f")), j: Schema.String.check(Schema.makeFilter((s: string) => s === "a")).annotate(d("f")), "bad name": Schema.Boolean.annotate(d("f")), constructor: Schema.Boolean.annotate(d("f")), k: Schema.String.check(Schema.isPattern(/a/i)).annotate(d("f")), l: Schema.Finite.check(Schema.isMultipleOf(0.01)).annotate(d("l")), m: Schema.Duration.annotate(d("m")), n: Schema.fromJsonString(Schema.Struct({})).annotate(d("m")), o: Schema.String.check(Schema.isMaxLength(10)).pipe(Schema.decodeTo(Schema.Literals(["a", "b"]), SchemaTransformation.passthrough({ strict: false }) as any)).annotate(d("x")), p: Schema.String.check(Schema.isMaxLength(10)).pipe(Schema.decodeTo(Schema.Date, { decode: SchemaGetter.transform((s: string) => new Date(s)), encode: SchemaGetter.transform((d: Date) => d.toISOString()) })).annotate(d("x")), q: Schema.DateFromMillis.annotate(d("q")), r: Schema.DurationFromMillis.annotate(d("q")) })))
show(TS.input(Schema.Union([Schema.Struct({}), Schema.Struct({})])))
show(TS.input(Schema.String))
show(TS.output(Schema.Struct({ s: Schema.String.annotate(d("s")), r: Schema.Redacted(Schema.String).annotate(d("s")) })))
