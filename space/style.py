"""The look of the page: theme, style sheet and the scripts that run in the browser. Fonts are the visitor's own."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

STYLE_SHEET = Path(__file__).parent / "page.css"

ACCENT = gr.themes.Color(
    name="pine",
    c50="#eef6f4",
    c100="#d6eae5",
    c200="#aed5cc",
    c300="#7fbaae",
    c400="#4f998c",
    c500="#2c7a6e",
    c600="#1f6358",
    c700="#194f47",
    c800="#153f39",
    c900="#11322e",
    c950="#0a1f1c",
)
NEUTRAL = gr.themes.Color(
    name="ink",
    c50="#faf9f7",
    c100="#f3f1ed",
    c200="#e5e1da",
    c300="#cfc9bf",
    c400="#a39c90",
    c500="#78726a",
    c600="#57524c",
    c700="#3d3a36",
    c800="#272523",
    c900="#1b1a19",
    c950="#121211",
)
SANS = ("Inter", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "DejaVu Sans", "Arial", "sans-serif")


def theme() -> gr.themes.Base:
    """A calm theme: paper and ink, one accent, thin lines, no shadows."""
    base = gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=NEUTRAL,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
        font=[gr.themes.Font(name) for name in SANS],
        font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")],
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_950",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_background_fill="transparent",
        block_title_text_weight="600",
        block_title_text_size="*text_sm",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_size="*text_xs",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        input_shadow="none",
        input_shadow_focus="0 0 0 3px rgba(44, 122, 110, .16)",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="white",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_dark="transparent",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
        button_large_text_weight="600",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        panel_border_width="0px",
    )


def copy_script(place: str) -> str:
    """Copies the speech shown in the element `place`."""
    return f"() => navigator.clipboard.writeText([...document.querySelectorAll('#{place} .paper p')].map(p => p.innerText).join('\\n\\n'))"


def show_script(place: str) -> str:
    """Brings the sheet into sight where it lies below the form, and hands the inputs on."""
    return f"(...inputs) => {{ if (innerWidth < 820) document.getElementById('{place}').scrollIntoView({{behavior: 'smooth'}}); return inputs; }}"


SAVE_SCRIPT = """(file) => {
  if (!file || !file.data) return;
  const bytes = Uint8Array.from(atob(file.data), c => c.charCodeAt(0));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], {type: file.mime}));
  link.download = file.name;
  document.body.append(link); link.click(); link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}"""
"""Saves what `space.downloads.download` made; no file lies on the server."""
