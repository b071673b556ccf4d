/**
 * Recognises the requests by which a connector gets a token of its own (RFC 6749, RFC 7523, RFC 8693).
 */

/** The parameters of a request to a token endpoint. */
export const grantOf = async (request: Request): Promise<URLSearchParams | undefined> => {
  if (!request.headers.get("content-type")?.startsWith("application/x-www-form-urlencoded")) return undefined
  const parameters = new URLSearchParams(await request.clone().text())
  return parameters.has("grant_type") ? parameters : undefined
}

/** The request without the token that it is there to exchange, which is the one thing that it may be sent for. */
export const withoutSubject = (parameters: URLSearchParams): string => {
  const rest = new URLSearchParams(parameters)
  for (const name of ["subject_token", "assertion"]) rest.delete(name)
  return rest.toString()
}
