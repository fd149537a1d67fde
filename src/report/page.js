
/*
 * Draws the figures. The places on the x axis are fractions of the timeline
 * ("knots" lead back to times); names and numbers were written by cragon, and
 * nothing here makes HTML of them.
 */
(function () {
	"use strict";
	const data = JSON.parse(document.getElementById("data").textContent);
	const charts = [];
	const dashes = [[], [], [], [7, 3], [], [2, 2], [9, 3, 2, 3], [4, 2], []];

	function color(name) {
		return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
	}

	/* ---- numbers as words ---- */

	function bytes(v) {
		const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
		let i = 0;
		for (; Math.abs(v) >= 1024 && i < names.length - 1; i++)
			v /= 1024;
		return (v === 0 || Math.abs(v) >= 100 ? v.toFixed(0) : String(+v.toPrecision(3))) + " " + names[i];
	}

	function seconds(v) {
		if (v === 0)
			return "0 s";
		if (v < 1)
			return String(+(v * 1000).toPrecision(3)) + " ms";
		if (v < 120)
			return String(+v.toPrecision(3)) + " s";
		if (v < 7200)
			return String(+(v / 60).toPrecision(3)) + " min";
		return String(+(v / 3600).toPrecision(3)) + " h";
	}

	const words = {
		"bytes": bytes,
		"bytes/s": v => bytes(v) + "/s",
		"percent": v => String(+v.toPrecision(3)) + " %",
		"seconds": seconds
	};

	/* Steps that are round in the unit's own way: across units, powers of two are. */
	function step(unit, span) {
		const wanted = span / 5;
		let power = Math.pow(10, Math.floor(Math.log10(wanted))), rounds = [1, 2, 5, 10];
		if (unit.startsWith("bytes")) {
			for (power = 1; power * 1024 <= wanted; )
				power *= 1024;
			rounds = span * 1.1 >= power * 1024 ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
				: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1024];
		}
		return power * rounds.find(r => r * power >= wanted * 0.999);
	}

	function when(x) {
		const k = data.knots;
		let i = 1;
		while (i < k.length - 1 && k[i][0] < x)
			i++;
		const a = k[i - 1], b = k[i], part = b[0] > a[0] ? (x - a[0]) / (b[0] - a[0]) : 0;
		const t = a[1] + (b[1] - a[1]) * part + data.offset;
		return new Date(t * 1000).toISOString().slice(0, 19).replace("T", " ");
	}

	/* ---- what is drawn beside the lines ---- */

	function verticals(ctx, scale, area, at, style, width, top) {
		ctx.save();
		ctx.strokeStyle = style;
		ctx.lineWidth = width;
		ctx.beginPath();
		for (const x of at) {
			const p = Math.round(scale.getPixelForValue(x)) + (width % 2) / 2;
			ctx.moveTo(p, top);
			ctx.lineTo(p, area.bottom);
		}
		ctx.stroke();
		ctx.restore();
	}

	/* Between the lowest and the highest sample of each step. */
	function band(ctx, chart, set) {
		const xs = chart.scales.x, ys = chart.scales.y, n = set.lo.length;
		ctx.save();
		ctx.fillStyle = set.borderColor;
		ctx.globalAlpha = 0.22;
		for (let i = 0; i < n; i++) {
			if (set.lo[i] === null)
				continue;
			let j = i;
			ctx.beginPath();
			for (; j < n && set.lo[j] !== null; j++)
				ctx.lineTo(xs.getPixelForValue(set.x[j]), ys.getPixelForValue(set.hi[j]) - 0.5);
			for (let k = j - 1; k >= i; k--)
				ctx.lineTo(xs.getPixelForValue(set.x[k]), ys.getPixelForValue(set.lo[k]) + 0.5);
			ctx.closePath();
			ctx.fill();
			i = j;
		}
		/* The upper edge again: a peak of one sample is a pixel wide. */
		ctx.globalAlpha = 0.5;
		ctx.strokeStyle = set.borderColor;
		ctx.lineWidth = 0.75;
		ctx.beginPath();
		for (let i = 0; i < n; i++) {
			if (set.hi[i] === null)
				continue;
			const x = xs.getPixelForValue(set.x[i]), y = ys.getPixelForValue(set.hi[i]);
			if (i && set.hi[i - 1] !== null)
				ctx.lineTo(x, y);
			else
				ctx.moveTo(x, y);
		}
		ctx.stroke();
		ctx.restore();
	}

	const surroundings = {
		id: "surroundings",
		beforeDatasetsDraw(chart) {
			const ctx = chart.ctx, area = chart.chartArea;
			/* Many checkpoints would be a grey ground: ticks then. */
			verticals(ctx, chart.scales.x, area, data.marks, color("line"), 1,
				data.marks.length > 60 ? area.bottom - 7 : area.top);
			verticals(ctx, chart.scales.x, area, data.ends, color("soft"), 1, area.top);
			ctx.save();
			ctx.beginPath();
			ctx.rect(area.left, area.top, area.width, area.height);
			ctx.clip();
			for (const set of chart.data.datasets)
				if (set.lo)
					band(ctx, chart, set);
			ctx.restore();
		}
	};

	/* ---- charts ---- */

	function lines(spec) {
		const x = data.x[spec.x];
		return spec.series.map(s => ({
			label: s.name,
			data: s.y.map((y, i) => ({ x: x[i], y: y === null ? NaN : y })),
			x: x, lo: s.lo, hi: s.hi, color: s.color,
			borderDash: s.limit ? [5, 3] : dashes[s.color],
			borderWidth: s.limit ? 1.5 : s.lo ? 1.25 : 1.75,
			pointRadius: s.points && s.y.length <= 120 ? 2.5 : s.y.length <= 2 ? 2 : 0,
			pointHitRadius: 8, pointHoverRadius: 3
		}));
	}

	function top(spec) {
		let most = 0;
		for (const s of spec.series)
			for (const v of s.hi || s.y)
				if (v > most)
					most = v;
		return most > 0 ? most : 1;
	}

	function ticksOfTime(scale) {
		const apart = 62 / Math.max(100, scale.chart.width - 90);
		let last = -1;
		scale.ticks = data.ticks.filter(t => t[0] - last >= apart && ((last = t[0]), true))
			.map(t => ({ value: t[0], label: t[1] }));
	}

	function paint(chart) {
		const soft = color("soft"), line = color("faint");
		for (const set of chart.data.datasets)
			set.borderColor = set.backgroundColor = color("c" + set.color);
		for (const scale of Object.values(chart.options.scales)) {
			scale.ticks.color = soft;
			scale.title.color = soft;
			scale.grid.color = line;
			scale.grid.borderColor = color("line");
		}
		const tip = chart.options.plugins.tooltip;
		tip.backgroundColor = color("raised");
		tip.borderColor = color("line");
		tip.titleColor = tip.bodyColor = color("ink");
	}

	function options(spec) {
		const word = words[spec.unit], most = top(spec), by = step(spec.unit, most);
		return {
			animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false,
			interaction: { mode: "index", intersect: false },
			layout: { padding: { right: 6, top: 4 } },
			elements: { line: { tension: 0 } },
			scales: {
				x: {
					type: "linear", min: 0, max: 1, afterBuildTicks: ticksOfTime,
					title: { display: false },
					grid: { drawOnChartArea: false, tickLength: 5 },
					ticks: { autoSkip: false, maxRotation: 0, callback: (v, i, all) => all[i].label }
				},
				y: {
					type: "linear", min: 0, max: Math.ceil(most * 1.02 / by) * by,
					title: { display: true, text: spec.axis, font: { size: 11 } },
					afterFit: scale => { scale.width = 82; },
					grid: { tickLength: 0 },
					ticks: { stepSize: by, padding: 8, callback: word }
				}
			},
			plugins: {
				legend: { display: false },
				tooltip: {
					borderWidth: 1, padding: 10, boxWidth: 8, boxHeight: 8, boxPadding: 4,
					filter: item => !Number.isNaN(item.parsed.y),
					callbacks: {
						title: items => items.length ? when(items[0].parsed.x) : "",
						label: item => {
							const s = item.dataset, i = item.dataIndex;
							const range = s.lo && s.lo[i] !== s.hi[i]
								? " (" + word(s.lo[i]) + " to " + word(s.hi[i]) + ")" : "";
							return " " + s.label + ": " + word(item.parsed.y) + range;
						}
					}
				}
			}
		};
	}

	function draw(spec) {
		const canvas = document.querySelector("canvas[data-chart=\"" + spec.id + "\"]");
		const config = {
			type: "line", data: { datasets: lines(spec) }, options: options(spec), plugins: [surroundings]
		};
		paint(config);
		charts.push(new Chart(canvas, config));
	}

	function repaint() {
		for (const chart of charts) {
			paint(chart.config);
			chart.update("none");
		}
	}

	Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
	Chart.defaults.font.size = 12;
	for (const spec of data.charts)
		draw(spec);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
	matchMedia("print").addEventListener("change", repaint);
	addEventListener("beforeprint", () => charts.forEach(chart => chart.resize()));
	addEventListener("afterprint", () => charts.forEach(chart => chart.resize()));
	requestAnimationFrame(() => requestAnimationFrame(() => {
		document.body.dataset.charts = String(charts.length);
		document.body.dataset.renderedMs = performance.now().toFixed(0);
	}));
})();
