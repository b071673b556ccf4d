/** What is wrong with an icon: directories take a square PNG of 512 to 2048 pixels, under 2 MB. */
export const iconFault = (png: Uint8Array): string | undefined => {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength)
  // The signature, then the header chunk: its length and name, then width and height.
  if (png.byteLength < 24 || view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452) return "is no PNG"
  const [width, height] = [view.getUint32(16), view.getUint32(20)]
  if (width !== height || width < 512 || width > 2048) {
    return `is ${width} by ${height} pixels, and must be square with 512 to 2048 on each side`
  }
  return png.byteLength < 2_000_000 ? undefined : "has 2 MB or more"
}
