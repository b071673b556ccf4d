/**
 * What keeps an identity from being built, found before anything is asked of an authorization server. A fault names the
 * option and what it has to be, never the value that it has.
 */
import * as Duration from "effect/Duration"

/** A URL that tokens and secrets may travel to, and metadata may name. */
export const urlFault = (option: string, value: string): ReadonlyArray<string> =>
  isSecureUrl(value)
    ? []
    : [`${option} must be an https URL (http only on loopback), without credentials, a query or a fragment`]

export const emptyFault = (option: string, value: string): ReadonlyArray<string> =>
  value.trim() === "" ? [`${option} is empty`] : []

export const durationFault = (
  option: string,
  value: Duration.Duration,
  [least, most]: readonly [Duration.Input, Duration.Input]
): ReadonlyArray<string> => {
  const [minimum, maximum] = [Duration.fromInputUnsafe(least), Duration.fromInputUnsafe(most)]
  return Duration.isGreaterThanOrEqualTo(value, minimum) && Duration.isLessThanOrEqualTo(value, maximum)
    ? []
    : [`${option} must be from ${Duration.format(minimum)} to ${Duration.format(maximum)}`]
}

const isSecureUrl = (value: string): boolean => {
  const url = URL.parse(value)
  if (url === null || url.username !== "" || url.password !== "" || /[?#]/.test(value)) return false
  return (
    url.protocol === "https:" || (url.protocol === "http:" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname))
  )
}
