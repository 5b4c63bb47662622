/** The few flat documents that the own requests need. */

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** The text of the first element of that name, whatever its depth and attributes; undefined where there is none. */
export function elementText(xml: string, name: string): string | undefined {
  const content = new RegExp(`<${name}(?:\\s[^>]*)?(?:/>|>([^<]*)</${name}\\s*>)`).exec(xml)
  return content === null ? undefined : unescapeXml(content[1] ?? '')
}

/** Whether the document's own element is of that name. */
export function isDocumentOf(xml: string, name: string): boolean {
  return new RegExp(`^\\s*(?:\\uFEFF)?(?:<\\?[^>]*\\?>\\s*)?<${name}[\\s>/]`).test(xml)
}

/** Text as the content of an element. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? whole
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole
  })
}
