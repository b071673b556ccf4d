/**
 * An HTTP answer that is ready before the message was looked at.
 */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export const refusal = (status: number, body: object, headers: Readonly<Record<string, string>>): Refusal => {
  const text = JSON.stringify(body)
  const length = String(Buffer.byteLength(text))
  return { status, headers: { "content-type": "application/json", "content-length": length, ...headers }, body: text }
}
