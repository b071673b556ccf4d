/**
 * Takes tokens out of what goes into a report, which is filed and sent around: JSON Web Tokens wherever they are, and
 * whatever follows the word Bearer or stands in the user part of an address.
 */
export const withoutTokens = (text: string): string =>
  text
    .replace(/\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?/g, "<token>")
    .replace(/\b(bearer|basic) +[\w.~+/-]{8,}=*/gi, "$1 <token>")
    .replace(/\/\/[^/\s@"]+@/g, "//<redacted>@")
