// The neuron of the clicked square takes the place of the one before.
const chosen = cb_obj.indices
if (chosen.length > 0) {
  const entries = (map) => (map instanceof Map ? [...map] : Object.entries(map))
  const neuron = Array.from(cells.get_column("neuron"))[chosen[0]]
  const of_all = new Map(entries(data))
  for (const [name, source] of entries(sources)) source.data = Object.fromEntries(entries(of_all.get(name)[neuron]))
  title.text = `Templates of neuron ${neuron}`
}
