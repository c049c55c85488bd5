// Rows that hold every word: a number is a unit, all else is part of the label or the channel.
const words = cb_obj.value_input.toLowerCase().split(/\s+/).filter((word) => word.length > 0)
const [unit, label, channel] = ["unit", "label", "channel"].map((name) => units.get_column(name))
found.booleans = Array.from(unit, (number, i) => words.every((word) =>
  /^\d+$/.test(word) ? String(number) == word : `${label[i]} ${channel[i]}`.toLowerCase().includes(word)))
table.view.filter = found
