// Tables as files. Cells that a spreadsheet would run as a formula are made harmless.

export type Cell = string | number | boolean | null | undefined;

function quote(cell: Cell): string {
  if (typeof cell === "number") return String(cell);
  let text = String(cell ?? "");
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const toCsv = (rows: Cell[][]): string =>
  rows.map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";

export function download(name: string, text: string, type = "text/csv;charset=utf-8"): void {
  // the mark at the beginning makes spreadsheets read UTF-8
  const url = URL.createObjectURL(new Blob(["\uFEFF", text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
