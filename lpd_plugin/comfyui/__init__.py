"""What the pack gives ComfyUI's editor beside the nodes: templates, help pages, translations. Made from the declarations.

    python -m lpd_plugin.comfyui            writes example_workflows/*.json, web/docs/, locales/
    python -m lpd_plugin.comfyui --check    only says whether they are up to date (exit code 1 if not)
    python -m lpd_plugin.comfyui.pictures   renders the pictures of templates and help pages from the demo's media
"""
